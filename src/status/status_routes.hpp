// The routes of the server status, each with and without /api in front.
#pragma once

#include "http/router.hpp"
#include "status/status.hpp"

namespace skirmish::status {

void add_routes(http::router& routes, service& status);

}  // namespace skirmish::status
