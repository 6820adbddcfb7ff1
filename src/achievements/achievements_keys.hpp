// The Redis key of achievements; achievements/unlock.lua builds the same name.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::achievements {

// achievements:<player_id>, a hash: achievement → when it was unlocked (RFC 3339). No TTL; it goes
// with the player.
inline std::string achievements_key(const redis::key_space& keys, std::string_view player_id) {
  return keys.key("achievements", player_id);
}

}  // namespace skirmish::achievements
