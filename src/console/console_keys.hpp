// The Redis keys of the console.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::console {

// console_session:<SHA-256 of the cookie's token in hex>, a hash: key_id, role, name, ends_at
// (milliseconds since 1970). Lives until then.
inline std::string session_key(const redis::key_space& keys, std::string_view digest) {
  return keys.key("console_session", digest);
}
inline constexpr std::chrono::hours session_life{12};

}  // namespace skirmish::console
