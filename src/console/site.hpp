// What the page for visitors shows of this server: its settings, as the page reads them.
#pragma once

#include "http/router.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace skirmish::console {

struct site_settings {
  std::string name;
  std::string text;
  std::string shows;   // parts of the page, with commas between
  std::string boards;  // likewise
};

struct site_parts {
  std::vector<std::string> shown;
  std::int64_t map_cell_km = 0;  // 0: there is no map
};
// What `shows` names; the map as `map` or, with the side of its squares, `map:20`. Throws
// failure{invalid_argument} for a part that there is not.
site_parts parts_of(const site_settings& s);

// GET /api/site. Throws failure{invalid_argument} for a bad setting.
void add_site(http::router& routes, const site_settings& s);

}  // namespace skirmish::console
