// The limits over HTTP, for operators.
#pragma once

#include "http/router.hpp"
#include "request_limits/request_limits.hpp"

namespace skirmish::request_limits {

void add_routes(http::router& routes, service& limits);

}  // namespace skirmish::request_limits
