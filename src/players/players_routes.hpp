// The routes of players.
#pragma once

#include "http/router.hpp"
#include "players/players.hpp"

#include <functional>
#include <string>

namespace skirmish::players {

// The text to store for a password.
using password_hash = std::function<awaitable<std::string>(std::string password)>;

void add_routes(http::router& routes, service& players, password_hash hash);

}  // namespace skirmish::players
