#include "interactions/latest_attacks.hpp"

#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

TEST(latest_attacks, keeps_the_last_record_of_each_pair_with_the_time_of_its_commit) {
  latest_attacks all;
  EXPECT_TRUE(all.add("1000\na:b 5 t1 x-1\na:c 6 t2 \n"));
  EXPECT_TRUE(all.add("2000\na:b 7 t3 \n"));
  ASSERT_EQ(all.records().size(), 2U);
  const auto& first = all.records()[0];
  EXPECT_EQ(first.pair, "a:b");
  EXPECT_EQ(first.damage, "7");
  EXPECT_EQ(first.ts, "t3");
  EXPECT_EQ(first.id, "");
  EXPECT_EQ(first.committed_ms, 2'000);
  EXPECT_EQ(all.records()[1].damage, "6");
  EXPECT_EQ(all.records()[1].committed_ms, 1'000);
}

TEST(latest_attacks, says_when_a_text_cannot_be_read) {
  for (const auto* text : {"", "x", "x\na:b 1 t \n", "1\na:b", "1\na:b 1\n", "1\na:b 1 t"})
    EXPECT_FALSE(latest_attacks().add(text)) << text;
  EXPECT_TRUE(latest_attacks().add("1\n"));
}

}  // namespace
}  // namespace skirmish::interactions
