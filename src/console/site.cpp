#include "console/site.hpp"

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

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    auto word = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

json::array to_json(const std::vector<std::string>& words) {
  return json::array(words.begin(), words.end());
}

}  // namespace

site_parts parts_of(const site_settings& s) {
  site_parts out;
  for (auto& part : words_of(s.shows)) {
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
  const auto boards = words_of(s.boards);
  for (const auto& board : boards)
    if (!is_valid_id(board))
      throw failure(errc::invalid_argument,
                    "site.boards: `" + board + "` is no leaderboard's name");
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
