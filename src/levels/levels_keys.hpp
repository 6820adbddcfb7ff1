// The Redis keys of levels.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::levels {

// level:<level_id>, a string: JSON with level_id, name, difficulty, description, created_at,
// version. Cached 60 minutes, and for popular_ttl while it is among the most popular ones. The
// cache module owns it (include/skirmish/cache.hpp), under this name behind the world's tag.
inline std::string level_name(std::string_view level_id) {
  return std::string("level:").append(redis::id_part(level_id));
}
inline constexpr std::chrono::seconds level_ttl{3600};

// levels:popular, a sorted set: level → completions. Every level is a member; a completion is
// accepted only for members.
inline std::string popular_key(const redis::key_space& keys) { return keys.key("levels:popular"); }

// levels:cached, a set: the levels that are among the most popular ones and were cached for that.
inline std::string cached_key(const redis::key_space& keys) { return keys.key("levels:cached"); }

// How long the most popular levels are cached by the refresher.
inline constexpr std::chrono::seconds popular_ttl{7200};

// lease:popular, a string: the token of the server that refreshes the popular levels; lives three
// refresh intervals.
inline std::string popular_lease_key(const redis::key_space& keys) {
  return keys.key("lease:popular");
}

}  // namespace skirmish::levels
