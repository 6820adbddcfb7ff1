// Inventories as one feature of a server thread.
#pragma once

#include "inventory/inventory.hpp"
#include "inventory/inventory_routes.hpp"

namespace skirmish::inventory {

class feature {
 public:
  feature(redis::client& redis, const redis::key_space& keys, players::service& players)
      : players_(players), inventories_(redis, keys) {}

  void add_to(http::router& routes) { add_routes(routes, inventories_, players_); }

 private:
  players::service& players_;
  service inventories_;
};

}  // namespace skirmish::inventory
