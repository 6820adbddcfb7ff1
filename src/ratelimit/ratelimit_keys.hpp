// The Redis keys of rate limits.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::ratelimit {

// ratelimit:<policy>@<subject>, a string: when the subject's bucket is full again (microseconds
// since 1970 on Redis' clock). Lives until then.
inline std::string limit_key(const redis::key_space& keys, std::string_view policy,
                             std::string_view subject) {
  return keys.key("ratelimit", policy, subject);
}

}  // namespace skirmish::ratelimit
