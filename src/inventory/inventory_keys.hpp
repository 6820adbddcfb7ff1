// The Redis key of inventories; interactions/game.lua builds the same name.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::inventory {

// inventory:<player_id>, a hash: item → quantity, from 1 on. No TTL; it goes with the player.
inline std::string inventory_key(const redis::key_space& keys, std::string_view player_id) {
  return keys.key("inventory", player_id);
}

}  // namespace skirmish::inventory
