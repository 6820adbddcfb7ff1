// GCRA, the Generic Cell Rate Algorithm (ITU-T I.371, its virtual scheduling form), in whole
// microseconds. The state of a subject is one number, the theoretical arrival time: the moment at
// which its bucket is full again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace skirmish::ratelimit {

// What a lease holds back and loses may not matter beside the bucket: at most a hundredth of the
// burst at once, and a tenth of what comes back while it lasts.
inline std::int64_t lease_of(std::int64_t wanted, double rate_per_s, std::int64_t burst,
                             std::chrono::milliseconds ttl) {
  const auto refilled = rate_per_s * static_cast<double>(ttl.count()) / 1'000;
  return std::min({wanted, burst / 100, static_cast<std::int64_t>(std::min(refilled / 10, 1e9))});
}

// What a policy is in microseconds.
struct gcra {
  std::int64_t token_us = 1;  // in which one token grows
  std::int64_t burst_us = 1;  // in which the whole bucket does

  // Rounded up to whole microseconds per token: never more than the rate.
  static gcra of(double rate_per_s, std::int64_t burst) {
    const auto token = std::max<std::int64_t>(1, std::llround(std::ceil(1e6 / rate_per_s - 1e-9)));
    return {token, burst > burst_max_us / token ? burst_max_us : token * burst};
  }
  // More than a century. Such times are exact as the numbers of Lua are.
  static constexpr std::int64_t burst_max_us = 4'000'000'000'000'000;

  // How long one hash of buckets is written to: what is older than a bucket takes to fill says
  // nothing any more.
  [[nodiscard]] std::int64_t period_us() const noexcept {
    return std::max<std::int64_t>(burst_us, 10'000'000);
  }

  // What tokens are, at most the whole bucket.
  [[nodiscard]] std::int64_t us_of(std::int64_t tokens) const noexcept {
    return tokens > burst_us / token_us ? burst_us : tokens * token_us;
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
    return grant_of(now_us + burst_us - arrival, least_us, want_us, arrival);
  }

  // The same of a bucket whose room is known.
  static grant grant_of(std::int64_t room_us, std::int64_t least_us, std::int64_t want_us,
                        std::int64_t arrival_us = 0) {
    if (room_us < least_us) return {0, least_us - room_us, arrival_us};
    const auto granted = std::min(want_us, room_us);
    return {granted, 0, arrival_us + granted};
  }
};

}  // namespace skirmish::ratelimit
