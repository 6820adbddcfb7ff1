#include "interactions/event_log_routes.hpp"

#include "core/ids.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "interactions/event_text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;
using namespace http;

json::value cursor_json(const std::optional<log_cursor>& c) {
  return c ? json::value(to_text(*c)) : json::value();
}

awaitable<response> read_log(event_log& log, exchange& x) {
  const auto since = parse_log_cursor(x.query("since"));
  if (!since && x.has_query("since"))
    co_return problem({errc::invalid_argument, "since must be a cursor that this list returned"},
                      x.request_id);
  log_filter filter;
  filter.player_id = x.query("player");
  filter.type = x.query("type");
  if (!filter.player_id.empty() && !is_valid_id(filter.player_id))
    co_return problem({errc::invalid_argument, "player must be the id of a player"}, x.request_id);
  const auto limit = static_cast<std::size_t>(x.query_integer("limit"));
  const bool is_newest = x.query("order") == "newest";
  log_page page;
  if (is_newest)
    page = co_await log.read_newest(since, limit, std::move(filter));
  else
    page = co_await log.read(since, limit, std::move(filter));
  json::array items;
  for (const auto& line : page.lines) items.push_back(parse_line(line).value_or(json::object()));
  json::object body{{"items", std::move(items)},
                    {"cursor", cursor_json(is_newest ? page.tail : page.last)},
                    {"next_cursor", page.more ? cursor_json(page.last) : json::value()},
                    {"trimmed", page.trimmed},
                    {"is_partial", page.is_partial}};
  co_return json_response(body);
}

}  // namespace

void add_routes(router& routes, event_log& log) {
  const std::vector<std::string> types{"attack", "chat", "completion", "item",
                                       "move",   "respawn", "score",   "trade"};
  const auto handle = [&log](exchange& x) { return read_log(log, x); };
  routes
      .add({verb::get,
            "/api/interactions",
            access::server,
            "What was committed, in order",
            handle,
            {},
            {{"since",
              "a cursor; without it from the oldest event that is kept",
              {},
              {},
              schema::matching(R"(^[0-9]{1,18}-[0-9]{1,18}\.[0-9]{1,18}$)")},
             limit_parameter(),
             {"player", "events of this player: what it did, and what was done to it", {}, {},
              schema::id()},
             {"type", "events of this type", {}, {}, schema::word(types)},
             {"order", "which come first", "oldest", {}, schema::word({"oldest", "newest"})}},
            "{items: [events], cursor, next_cursor, trimmed, is_partial}. `cursor` is behind the last item: "
            "ask again with it for what comes later. `next_cursor` is the same while there is "
            "more now. `trimmed`: the log no longer reaches back to `since`. With `order=newest`, "
            "`next_cursor` leads to older events and is `since` of the same order only; `cursor` of "
            "the first page is behind the newest event, to go on from with `order=oldest`. "
            "`is_partial`: 20,000 events were looked at and there are more; go on with "
            "`next_cursor`."})
      .gives(200, schema::object({{"items", schema::array_of(schema::open_object())},
                                  {"cursor", schema::nullable(schema::text())},
                                  {"next_cursor", schema::nullable(schema::text())},
                                  {"trimmed", schema::boolean()},
                                  {"is_partial", schema::boolean()}}));
}

}  // namespace skirmish::interactions
