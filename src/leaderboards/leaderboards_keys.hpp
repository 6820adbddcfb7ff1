// The Redis keys of leaderboards.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::leaderboards {

// leaderboard:<board>, a sorted set: player → score. `global`, `active`, `kills`,
// `level:<level_id>` and your own.
inline std::string board_key(const redis::key_space& keys, std::string_view board) {
  return keys.key("leaderboard", board);
}

}  // namespace skirmish::leaderboards
