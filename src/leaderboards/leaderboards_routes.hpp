// The routes of leaderboards.
#pragma once

#include "http/allowed_sites.hpp"
#include "http/router.hpp"
#include "leaderboards/busy_pages.hpp"

namespace skirmish::leaderboards {

void add_routes(http::router& routes, service& boards, busy_pages& pages,
                const http::allowed_sites& sites);

}  // namespace skirmish::leaderboards
