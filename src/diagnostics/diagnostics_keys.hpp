// The Redis keys of diagnostics.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::diagnostics {

// servers, a hash: id of a process → JSON about it, with seen_at (ms since 1970, by Redis' clock).
// A process that ends takes itself out; others remove who was not seen for an hour.
inline std::string servers_key(const redis::key_space& keys) { return keys.key("servers"); }

inline constexpr std::chrono::seconds beat_interval{5};
inline constexpr std::chrono::seconds lost_after{15};
inline constexpr std::chrono::hours lost_kept{1};

}  // namespace skirmish::diagnostics
