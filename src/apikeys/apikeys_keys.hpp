// The Redis keys of API keys.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::apikeys {

// apikeys:revoked, a set: the ids of revoked API keys. No TTL; it grows by one for each revocation.
inline std::string revoked_key(const redis::key_space& keys) {
  return keys.key("apikeys", "revoked");
}

}  // namespace skirmish::apikeys
