#include "console/site.hpp"

#include "core/comma_list.hpp"
#include "core/ids.hpp"
#include "core/parse.hpp"
#include "http/json_schema.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

namespace skirmish::console {
namespace {

namespace json = boost::json;
using namespace http;

const std::vector<std::string> parts{"status", "history",      "boards",
                                     "levels", "achievements", "map"};

constexpr std::optional<std::int64_t> map_cell_km_default = 50;
constexpr std::int64_t map_cell_km_max = 1'000;

template <class Words>
json::array to_json(const Words& words) {
  return json::array(words.begin(), words.end());
}

}  // namespace

site_parts parts_of(const site_settings& s) {
  site_parts out;
  for (const auto item : items_of(s.shows)) {
    std::string part(item);
    if (part == "map" || part.starts_with("map:")) {
      const auto km = part == "map" ? map_cell_km_default : parse_integer(part.substr(4));
      if (!km || *km < 1 || *km > map_cell_km_max)
        throw failure(errc::invalid_argument,
                      "site.shows: the squares of `" + part + "` must be 1 to 1000 km");
      out.map_cell_km = *km;
      part = "map";
    }
    if (std::ranges::find(parts, part) == parts.end())
      throw failure(errc::invalid_argument,
                    "site.shows: there is no part `" + part +
                        "`; there are status, history, boards, levels, achievements and map");
    out.shown.push_back(std::move(part));
  }
  return out;
}

void add_site(router& routes, const site_settings& s) {
  const auto shows = parts_of(s).shown;
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
