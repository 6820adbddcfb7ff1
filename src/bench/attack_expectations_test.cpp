#include "bench/attack_expectations.hpp"

#include <gtest/gtest.h>

namespace skirmish::cli {
namespace {

TEST(attack_expectations, only_those_under_way_together_are_possible) {
  attack_expectations all;
  std::uint64_t acknowledged = 0;
  const auto test = [&](const attack_expectations::place& at) { return at.seq <= acknowledged; };
  all.add(1, 2, 10, {0, 1}, test);
  all.add(1, 2, 20, {0, 2}, test);
  all.add(2, 1, 30, {0, 2}, test);
  const auto of = [&all](std::uint32_t attacker) {
    for (const auto& p : all.pairs())
      if (p.attacker == attacker) return p;
    return attack_expectations::pair{};
  };
  EXPECT_TRUE(all.may_hold(of(1), 10));
  EXPECT_TRUE(all.may_hold(of(1), 20));
  EXPECT_FALSE(all.may_hold(of(1), 30));
  EXPECT_TRUE(all.may_hold(of(2), 30));
  acknowledged = 1;
  all.add(1, 2, 40, {1, 3}, test);
  EXPECT_FALSE(all.may_hold(of(1), 10));
  EXPECT_TRUE(all.may_hold(of(1), 20));
  EXPECT_TRUE(all.may_hold(of(1), 40));
}

}  // namespace
}  // namespace skirmish::cli
