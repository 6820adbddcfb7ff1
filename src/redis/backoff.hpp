// How long to wait before the next attempt at something that failed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace skirmish::redis {

// 50 ms, doubled with each failed attempt up to 1 s, and spread from a half to the whole of that,
// so that many who failed together do not come back at the same instant.
inline std::chrono::milliseconds backoff(unsigned failed_attempts) {
  constexpr std::chrono::milliseconds first{50};
  constexpr std::chrono::milliseconds limit{1'000};
  const auto longest = std::min(first * (1U << std::min(failed_attempts, 5U)), limit);
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(longest.count() / 2, longest.count())(random));
}

}  // namespace skirmish::redis
