// The routes of players.
#pragma once

#include "http/router.hpp"
#include "players/players.hpp"

#include <functional>
#include <string>

namespace skirmish::players {

// The text to store for a password.
using password_hash = std::function<awaitable<std::string>(std::string password)>;

// What other features do when a player is removed, before it is.
using player_hook = std::function<awaitable<void>(std::string player_id)>;

void add_routes(http::router& routes, service& players, password_hash hash, player_hook on_remove);

}  // namespace skirmish::players
