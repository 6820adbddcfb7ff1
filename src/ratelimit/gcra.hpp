// GCRA, the Generic Cell Rate Algorithm (ITU-T I.371, its virtual scheduling form), in whole
// microseconds. The state of a subject is one number, the theoretical arrival time: the moment at
// which its bucket is full again.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace skirmish::ratelimit {

// What a policy is in microseconds.
struct gcra {
  std::int64_t token_us = 1;  // in which one token grows
  std::int64_t burst_us = 1;  // in which the whole bucket does

  // Rounded up to whole microseconds per token: never more than the rate.
  static gcra of(double rate_per_s, std::int64_t burst) {
    const auto token = std::max<std::int64_t>(1, std::llround(std::ceil(1e6 / rate_per_s - 1e-9)));
    return {token, token * burst};
  }

  struct grant {
    std::int64_t granted_us = 0;  // 0: refused
    std::int64_t wait_us = 0;     // until `least_us` can be had
    std::int64_t arrival_us = 0;  // the new theoretical arrival time
  };

  // Takes up to `want_us`, at least `least_us`, or nothing. take.lua does the same in Redis.
  [[nodiscard]] grant take(std::int64_t arrival_us, std::int64_t now_us, std::int64_t least_us,
                           std::int64_t want_us) const {
    // Not behind an empty bucket: the policy may have been another one before.
    const auto arrival = std::clamp(arrival_us, now_us, now_us + burst_us);
    const auto room = now_us + burst_us - arrival;
    if (room < least_us) return {0, least_us - room, arrival};
    const auto granted = std::min(want_us, room);
    return {granted, 0, arrival + granted};
  }
};

}  // namespace skirmish::ratelimit
