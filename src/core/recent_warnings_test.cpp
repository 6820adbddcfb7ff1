#include "core/recent_warnings.hpp"

#include <gtest/gtest.h>

namespace skirmish::log {
namespace {

using namespace std::chrono_literals;

const timestamp start{1'700'000'000s};

TEST(recent_warnings, counts_the_lines_of_an_event_and_keeps_the_last) {
  recent_warnings all;
  all.note(level::warn, "a", {{"n", 1}}, start);
  all.note(level::error, "b", {}, start + 1s);
  all.note(level::warn, "a", {{"n", 2}, {"text", "x y"}}, start + 2s);
  const auto found = all.list(start + 3s, 10);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].event, "a");
  EXPECT_EQ(found[0].count, 2U);
  EXPECT_EQ(found[0].message, "n=2 text=\"x y\"");
  EXPECT_EQ(found[0].first_at, start);
  EXPECT_EQ(found[0].last_at, start + 2s);
  EXPECT_EQ(found[1].at_level, level::error);
  EXPECT_EQ(all.list(start + 3s, 1).size(), 1U);
}

TEST(recent_warnings, forgets_after_an_hour_and_begins_anew) {
  recent_warnings all;
  all.note(level::warn, "a", {}, start);
  EXPECT_EQ(all.list(start + 1h, 10).size(), 1U);
  EXPECT_TRUE(all.list(start + 1h + 1ms, 10).empty());
  all.note(level::warn, "b", {}, start);
  all.note(level::warn, "b", {}, start + 2h);
  EXPECT_EQ(all.list(start + 2h, 10).at(0).count, 1U);
  EXPECT_EQ(all.list(start + 2h, 10).at(0).first_at, start + 2h);
}

TEST(recent_warnings, is_bounded) {
  recent_warnings all;
  std::string wide;
  while (wide.size() < 2 * recent_warnings::message_max_bytes) wide += "é";
  all.note(level::warn, "wide", {{"text", wide}}, start);
  EXPECT_LE(all.list(start, 1).at(0).message.size(), recent_warnings::message_max_bytes + 3);
  for (std::size_t i = 0; i < 2 * recent_warnings::events_limit; ++i)
    all.note(level::warn, std::to_string(i), {}, start);
  EXPECT_EQ(all.list(start, 10'000).size(), recent_warnings::events_limit);
  all.note(level::warn, "later", {}, start + 2h);
  EXPECT_EQ(all.list(start + 2h, 10'000).size(), 1U);
}

}  // namespace
}  // namespace skirmish::log
