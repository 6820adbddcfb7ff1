#include "interactions/flush_pace.hpp"

#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

TEST(flush_pace, steps_grow_with_the_wait_and_with_what_is_behind_up_to_a_limit) {
  flush_pace pace(5us);
  EXPECT_EQ(pace.step(0ms), 100U);
  EXPECT_EQ(pace.step(1h), 100U) << "nobody else needs Redis";
  for (int i = 0; i < 50; ++i) pace.note(100, 10'500us);
  EXPECT_NEAR(static_cast<double>(pace.step(0ms)), 300, 10);
  EXPECT_NEAR(static_cast<double>(pace.step(1s)), 1'100, 20);
  EXPECT_NEAR(static_cast<double>(pace.step(2s)), 2'100, 30);
  EXPECT_EQ(pace.step(2s), pace.step(1h));
  for (int i = 0; i < 50; ++i) pace.note(1'000, 1s);
  EXPECT_EQ(pace.step(5s), 5'000U);
  for (int i = 0; i < 50; ++i) pace.note(1'000, 1ms);
  EXPECT_LE(pace.step(5s), 110U);
}

TEST(flush_pace, commits_give_way_smoothly) {
  EXPECT_EQ(rest_after_commit(0ms, 5s, 0), 0);
  EXPECT_EQ(rest_after_commit(1'250ms, 5s, 0), 0);
  EXPECT_EQ(rest_after_commit(2'500ms, 5s, 0), 0.75);
  EXPECT_EQ(rest_after_commit(5s, 5s, 0), 6.75);
  EXPECT_EQ(rest_after_commit(1h, 5s, 0), 20);
  EXPECT_EQ(rest_after_commit(0ms, 5s, pending_limit_bytes), 6.75);
  double before = 0;
  for (auto age = 0ms; age < 8s; age += 100ms) {
    const auto rest = rest_after_commit(age, 5s, 0);
    EXPECT_GE(rest, before);
    EXPECT_LE(rest - before, 1);
    before = rest;
  }
}

}  // namespace
}  // namespace skirmish::interactions
