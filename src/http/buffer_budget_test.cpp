#include "http/buffer_budget.hpp"

#include <gtest/gtest.h>

namespace skirmish::http {
namespace {

constexpr std::int64_t block = buffer_share::block_bytes;

TEST(buffer_budget, is_shared_and_given_back) {
  metrics::registry metrics;
  const buffer_budget budget(metrics, 10 * block);
  const auto& used = metrics.add_gauge("skirmish_http_buffer_bytes", "");
  buffer_share known(budget);
  known.trust(buffer_share::standing::known);
  {
    buffer_share other(budget);
    other.trust(buffer_share::standing::known);
    EXPECT_TRUE(other.hold(6 * block));
    EXPECT_FALSE(known.hold(5 * block));
    EXPECT_EQ(used.value(), 6 * block) << "a refusal changes nothing";
    EXPECT_TRUE(known.hold(4 * block));
    EXPECT_TRUE(other.hold(6 * block + block - 1)) << "less than a block is not counted";
    EXPECT_FALSE(other.hold(7 * block));
    const buffer_share moved(std::move(other));
  }
  EXPECT_EQ(used.value(), 4 * block);
  EXPECT_TRUE(known.hold(10 * block));
  EXPECT_TRUE(known.hold(0));
  EXPECT_EQ(used.value(), 0);
}

TEST(buffer_budget, callers_without_a_key_fill_at_most_half) {
  metrics::registry metrics;
  const buffer_budget budget(metrics, 10 * block);
  buffer_share unknown(budget);
  EXPECT_FALSE(unknown.hold(6 * block));
  EXPECT_TRUE(unknown.hold(5 * block));
  buffer_share known(budget);
  EXPECT_FALSE(known.hold(block));
  known.trust(buffer_share::standing::known);
  EXPECT_TRUE(known.hold(5 * block));
}

}  // namespace
}  // namespace skirmish::http
