// The Redis keys of levels.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::levels {

// level:<level_id>, a string: JSON with level_id, name, difficulty, description, created_at,
// version. Cached 60 minutes.
inline std::string level_key(const redis::key_space& keys, std::string_view level_id) {
  return keys.key("level", level_id);
}
inline constexpr std::chrono::seconds level_ttl{3600};

}  // namespace skirmish::levels
