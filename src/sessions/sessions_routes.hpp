#pragma once

#include "http/router.hpp"
#include "sessions/login.hpp"

namespace skirmish::sessions {

// Everything under /api/sessions, and a player's sessions, password and devices.
void add_routes(http::router& routes, service& sessions, login& logins, credentials& accounts);

}  // namespace skirmish::sessions
