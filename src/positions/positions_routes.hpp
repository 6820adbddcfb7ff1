// The routes of who is near.
#pragma once

#include "http/router.hpp"
#include "positions/map.hpp"
#include "positions/positions.hpp"

namespace skirmish::positions {

void add_routes(http::router& routes, service& positions, map_reader& map);

}  // namespace skirmish::positions
