#pragma once

#include "console/console_logins.hpp"
#include "console/console_sessions.hpp"
#include "http/router.hpp"

namespace skirmish::console {

// /api/console/session.
void add_routes(http::router& routes, session_store& sessions, login_guard& logins);

}  // namespace skirmish::console
