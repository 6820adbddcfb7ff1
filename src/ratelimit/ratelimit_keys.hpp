// The Redis keys of rate limits.
#pragma once

#include "redis/key_space.hpp"

#include <array>
#include <string>

namespace skirmish::ratelimit {

// ratelimit:buckets:<policy>@even and …@odd, hashes that take turns, one for each period: subject →
// when its bucket is full again (microseconds from the hash's base on, on Redis' clock), and
// `@period` → the period's number, its length and the base. A period is as long as the bucket takes to fill, at least ten
// seconds; a hash lives for two more.
inline std::array<std::string, 2> bucket_keys(const redis::key_space& keys,
                                              std::string_view policy) {
  return {keys.key("ratelimit:buckets", policy, "even"),
          keys.key("ratelimit:buckets", policy, "odd")};
}

}  // namespace skirmish::ratelimit
