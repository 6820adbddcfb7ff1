// The routes of levels.
#pragma once

#include "http/router.hpp"
#include "levels/levels.hpp"

namespace skirmish::levels {

void add_routes(http::router& routes, service& levels);

}  // namespace skirmish::levels
