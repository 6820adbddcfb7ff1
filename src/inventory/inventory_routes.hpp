// The routes of inventories.
#pragma once

#include "http/router.hpp"
#include "inventory/inventory.hpp"
#include "players/players.hpp"

namespace skirmish::inventory {

void add_routes(http::router& routes, service& inventories, players::service& players);

}  // namespace skirmish::inventory
