// The Redis keys that the cache owns. Values stand under the names their owners chose.
#pragma once

#include "redis/key_space.hpp"

#include <string>
#include <string_view>

namespace skirmish::cache_keys {

// string · what is known about loading `<name>` besides its value:
//   a token   somebody loads it; only a fill that shows this token is accepted (TTL: load_timeout +
//   1 s) "none"    the source has no such thing (TTL: negative_ttl) "failed"  the last load failed;
//   nobody tries again while it stands (TTL: 250 ms)
// Deleting it makes a load under way discard what it loads.
inline std::string load(const redis::key_space& space, std::string_view name) {
  return space.key("cache:load:" + std::string(name));
}

}  // namespace skirmish::cache_keys
