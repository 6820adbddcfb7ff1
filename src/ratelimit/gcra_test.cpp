#include "ratelimit/gcra.hpp"

#include <gtest/gtest.h>

#include <random>

namespace skirmish::ratelimit {
namespace {

// The same limit as a bucket of tokens, kept in microseconds of growth: what GCRA has to equal.
struct bucket {
  std::int64_t size_us;
  std::int64_t level_us;
  std::int64_t filled_at = 0;

  std::int64_t take(std::int64_t now, std::int64_t least, std::int64_t want) {
    level_us = std::min(size_us, level_us + (now - filled_at));
    filled_at = now;
    if (level_us < least) return 0;
    const auto granted = std::min(want, level_us);
    level_us -= granted;
    return granted;
  }
};

TEST(gcra, decides_as_a_bucket_of_tokens_does_a_million_times) {
  std::mt19937_64 random(20261126);
  for (const auto& [rate, burst] : {std::pair{0.5, 1L}, {3.0, 7L}, {1'000.0, 100L}, {1e6, 5L}}) {
    const auto g = gcra::of(rate, burst);
    bucket reference{g.burst_us, g.burst_us};
    std::int64_t now = 1'700'000'000'000'000;
    reference.filled_at = now;
    std::int64_t arrival = 0;
    for (int i = 0; i < 250'000; ++i) {
      // Now and then a long pause, now and then a burst within one microsecond.
      const auto kind = random() % 10;
      if (kind > 1)
        now += static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * g.token_us));
      if (kind == 9) now += g.burst_us;
      const auto least =
          static_cast<std::int64_t>(1 + random() % static_cast<std::uint64_t>(burst)) * g.token_us;
      const auto want = least + static_cast<std::int64_t>(random() % 3) * g.token_us;
      const auto granted = g.take(arrival, now, least, want);
      ASSERT_EQ(granted.granted_us, reference.take(now, least, want)) << "arrival " << i;
      if (granted.granted_us == 0) {
        ASSERT_GT(granted.wait_us, 0);
        ASSERT_EQ(g.take(arrival, now + granted.wait_us - 1, least, least).granted_us, 0);
        ASSERT_EQ(g.take(arrival, now + granted.wait_us, least, least).granted_us, least);
      }
      arrival = granted.arrival_us;
    }
  }
}

TEST(gcra, never_gives_more_than_the_rate) {
  const auto third = gcra::of(3, 1);
  EXPECT_EQ(third.token_us, 333'334);  // 3 tokens in 1,000,002 us
  EXPECT_EQ(gcra::of(1e6, 1).token_us, 1);
  EXPECT_EQ(gcra::of(0.001, 1).token_us, 1'000'000'000);
}

}  // namespace
}  // namespace skirmish::ratelimit
