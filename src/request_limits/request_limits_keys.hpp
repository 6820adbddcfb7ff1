// The Redis keys of limits of requests; those of the counting itself are in
// ratelimit/ratelimit_keys.hpp.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::request_limits {

// ratelimit@policies, a hash: policy → as JSON, for each that was set over the API. Every server
// thread reads it twice a second.
inline std::string policies_key(const redis::key_space& keys) {
  return keys.key("ratelimit@policies");
}

}  // namespace skirmish::request_limits
