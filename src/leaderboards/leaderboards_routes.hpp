// The routes of leaderboards.
#pragma once

#include "http/router.hpp"
#include "leaderboards/busy_pages.hpp"

namespace skirmish::leaderboards {

void add_routes(http::router& routes, service& boards, busy_pages& pages);

}  // namespace skirmish::leaderboards
