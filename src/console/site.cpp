#include "console/site.hpp"

#include "core/comma_list.hpp"
#include "core/ids.hpp"
#include "http/json_schema.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

namespace skirmish::console {
namespace {

namespace json = boost::json;
using namespace http;

const std::vector<std::string> parts{"status", "history", "boards", "levels", "achievements"};

json::array to_json(const std::vector<std::string_view>& words) {
  return json::array(words.begin(), words.end());
}

}  // namespace

void add_site(router& routes, const site_settings& s) {
  const auto shows = items_of(s.shows);
  for (const auto& part : shows)
    if (std::ranges::find(parts, part) == parts.end())
      throw failure(errc::invalid_argument,
                    "site.shows: there is no part `" + std::string(part) +
                        "`; there are status, history, boards, levels and achievements");
  const auto boards = items_of(s.boards);
  for (const auto& board : boards)
    if (!is_valid_id(board))
      throw failure(errc::invalid_argument,
                    "site.boards: `" + std::string(board) + "` is no leaderboard's name");
  const json::object body{
      {"name", s.name}, {"text", s.text}, {"shows", to_json(shows)}, {"boards", to_json(boards)}};
  const auto serve = [body](exchange&) -> awaitable<response> { co_return json_response(body); };
  routes
      .add({verb::get,
            "/api/site",
            access::anyone,
            "What the page for visitors shows",
            serve,
            {},
            {},
            "The settings `site.name`, `site.text`, `site.shows` and `site.boards`."})
      .gives(200, schema::object({{"name", schema::text()},
                                  {"text", schema::text()},
                                  {"shows", schema::array_of(schema::word(parts))},
                                  {"boards", schema::array_of(schema::id())}}));
}

}  // namespace skirmish::console
