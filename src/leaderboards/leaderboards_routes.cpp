#include "leaderboards/leaderboards_routes.hpp"

#include "core/ids.hpp"
#include "core/parse.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>

namespace skirmish::leaderboards {
namespace {

namespace json = boost::json;
using namespace http;

constexpr std::size_t ids_max = 1000;

json::array to_json(const std::vector<entry>& entries) {
  json::array out;
  for (const auto& e : entries)
    out.push_back(json::object{{"rank", e.rank}, {"player_id", e.player_id}, {"score", e.score}});
  return out;
}

awaitable<response> page(service& boards, exchange& x) {
  const auto limit = x.query_integer("limit");
  const auto cursor = x.has_query("cursor") ? parse_integer(x.query("cursor")) : 1;
  if (!cursor || *cursor < 1)
    co_return problem({errc::invalid_argument, "cursor must be a next_cursor of this list"},
                      x.request_id);
  auto entries = co_await boards.page(x.path("board"), *cursor, limit + 1);
  json::value next;
  if (entries.size() > static_cast<std::size_t>(limit)) {
    entries.pop_back();
    next = std::to_string(*cursor + limit);
  }
  co_return json_response(json::object{{"items", to_json(entries)}, {"next_cursor", next}});
}

awaitable<response> player(service& boards, exchange& x) {
  auto found =
      co_await boards.around(x.path("board"), x.path("player_id"), x.query_integer("around"));
  if (!found) co_return problem(found.error(), x.request_id);
  json::object body;
  for (const auto& e : *found) {
    if (e.player_id != x.path("player_id")) continue;
    body = {{"rank", e.rank}, {"player_id", e.player_id}, {"score", e.score}};
  }
  body["around"] = to_json(*found);
  co_return json_response(body);
}

awaitable<response> ranks(service& boards, exchange& x) {
  std::vector<std::string> ids;
  auto rest = x.query("ids");
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    ids.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (!is_valid_id(ids.back()) || ids.size() > ids_max)
      co_return problem(
          {errc::invalid_argument, "ids must be at most 1000 ids with commas between"},
          x.request_id);
  }
  const auto found = co_await boards.ranks(x.path("board"), std::move(ids));
  co_return json_response(json::object{{"items", to_json(found)}, {"next_cursor", nullptr}});
}

}  // namespace

void add_routes(router& routes, service& boards) {
  const auto bind = [&boards](auto handle) {
    return [&boards, handle](exchange& x) { return handle(boards, x); };
  };
  const query_parameter around{"around", "entries on each side", "5",
                               std::pair<std::int64_t, std::int64_t>{0, 100}};
  const query_parameter ids{"ids", "players, with commas between", "", {}};
  routes.add({verb::get,
              "/api/leaderboards/{board}",
              access::anyone,
              "A page of a leaderboard, best first",
              bind(page),
              {},
              {limit_parameter(), cursor_parameter()}});
  routes.add({verb::get,
              "/api/leaderboards/{board}/players/{player_id}",
              access::anyone,
              "A player's rank, and who is around",
              bind(player),
              {},
              {around}});
  routes.add({verb::get,
              "/api/leaderboards/{board}/ranks",
              access::anyone,
              "Ranks of given players",
              bind(ranks),
              {},
              {ids}});
}

}  // namespace skirmish::leaderboards
