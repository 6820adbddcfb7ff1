// The routes of achievements.
#pragma once

#include "achievements/achievements.hpp"
#include "http/router.hpp"
#include "players/players.hpp"

namespace skirmish::achievements {

void add_routes(http::router& routes, service& achievements, players::service& players);

}  // namespace skirmish::achievements
