// The routes of leaderboards.
#pragma once

#include "http/router.hpp"
#include "leaderboards/leaderboards.hpp"

namespace skirmish::leaderboards {

void add_routes(http::router& routes, service& boards);

}  // namespace skirmish::leaderboards
