// The Redis keys of positions.
//
//   positions        zset    player → cell (cell.hpp) of its last move; written by
//                            interactions/commit.lua. Who has no live position any more goes within
//                            about two minutes, and is not shown meanwhile.
//   lease:positions  string  token of the server that removes those
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::positions {

inline std::string positions_key(const redis::key_space& keys) { return keys.key("positions"); }
inline std::string lease_key(const redis::key_space& keys) { return keys.key("lease:positions"); }

}  // namespace skirmish::positions
