// What the page for visitors shows of this server: its settings, as the page reads them.
#pragma once

#include "http/router.hpp"

#include <string>

namespace skirmish::console {

struct site_settings {
  std::string name;
  std::string text;
  std::string shows;   // parts of the page, with commas between
  std::string boards;  // likewise
};

// GET /api/site. Throws failure{invalid_argument} for a part that there is not.
void add_site(http::router& routes, const site_settings& s);

}  // namespace skirmish::console
