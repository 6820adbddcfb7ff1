// The routes of players.
#pragma once

#include "http/router.hpp"
#include "players/players.hpp"

namespace skirmish::players {

void add_routes(http::router& routes, service& players);

}  // namespace skirmish::players
