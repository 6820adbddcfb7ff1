// The Redis keys of the 24-hour window. The Lua scripts build the same names; change both.
//
//   activity:<slice>  hash    open: player → interactions in that slice of time
//                     string  sealed: the same, packed (packed_slice.hpp)
//   activity:open     zset    slice → its end: hashes, still open or to be sealed
//   activity:sealed   zset    slice → its end: packed ones, to be subtracted one day
//   activity:swept    hash    slice → offset: how much of it has been subtracted
//   activity:forgotten hash   player → what slices still hold of one that was deleted
//   activity:closed   string  commits count in slices that start at this second or later
//   activity:events   string  how many events were committed, ever
//   activity:sealing:<slice>  string  a packed slice before it takes its place; 5 minutes
//   lease:activity    string  token of the server that seals and sweeps
//
// <slice> is its start and ends are whole seconds since 1970. None but the last two has a TTL: a
// slice lives until its counts have been subtracted, however late that is.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace skirmish::activity {

inline std::string slice_key(const redis::key_space& keys, std::string_view slice) {
  return keys.key("activity", slice);
}
inline std::string open_key(const redis::key_space& keys) { return keys.key("activity:open"); }
inline std::string sealed_key(const redis::key_space& keys) { return keys.key("activity:sealed"); }
inline std::string swept_key(const redis::key_space& keys) { return keys.key("activity:swept"); }
inline std::string forgotten_key(const redis::key_space& keys) {
  return keys.key("activity:forgotten");
}
inline std::string closed_key(const redis::key_space& keys) { return keys.key("activity:closed"); }
inline std::string events_key(const redis::key_space& keys) { return keys.key("activity:events"); }
inline std::string sealing_key(const redis::key_space& keys, std::string_view slice) {
  return keys.key("activity:sealing", slice);
}
inline constexpr std::chrono::seconds sealing_ttl{300};
inline std::string lease_key(const redis::key_space& keys) { return keys.key("lease:activity"); }

// The board of the window's totals.
inline constexpr std::string_view board = "active";

}  // namespace skirmish::activity
