#pragma once

#include "console/console_sessions.hpp"
#include "http/router.hpp"

namespace skirmish::console {

// /api/console/session.
void add_routes(http::router& routes, session_store& sessions);

}  // namespace skirmish::console
