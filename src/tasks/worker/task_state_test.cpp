#include "tasks/worker/task_state.hpp"

#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

TEST(rate, limits_as_celery_writes_them) {
  EXPECT_EQ(parse_rate_interval_s("10/s"), 0.1);
  EXPECT_EQ(parse_rate_interval_s("60/m"), 1.0);
  EXPECT_EQ(parse_rate_interval_s("1/h"), 3600.0);
  EXPECT_EQ(parse_rate_interval_s("5"), 0.2);
  EXPECT_EQ(parse_rate_interval_s(""), 0.0);
  for (const char* bad : {"x", "1/d", "-1/s", "1/", "/s"})
    EXPECT_FALSE(parse_rate_interval_s(bad)) << bad;
}

TEST(rate, asking_changes_nothing_and_a_start_moves_the_next_one) {
  const auto now = rate_limit::clock::now();
  rate_limit limit("10/s");
  EXPECT_EQ(limit.next_start(now), now);
  EXPECT_EQ(limit.next_start(now), now);
  limit.note_start(now);
  limit.note_start(now);  // the first was allowed to catch up
  EXPECT_GT(limit.next_start(now), now + 99ms);
  EXPECT_LT(limit.next_start(now), now + 151ms);
  EXPECT_EQ(limit.next_start(now + 1s), now + 1s);
}

TEST(rate, idle_time_is_not_made_up_for) {
  const auto now = rate_limit::clock::now();
  rate_limit limit("10/s");
  limit.note_start(now);
  const auto later = now + 1h;
  int starts = 0;
  while (limit.next_start(later) == later && starts < 100) {
    limit.note_start(later);
    ++starts;
  }
  EXPECT_LE(starts, 2);
}

TEST(rate, no_limit_allows_any_number_at_once) {
  const auto now = rate_limit::clock::now();
  rate_limit limit;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(limit.next_start(now), now);
    limit.note_start(now);
  }
}

}  // namespace
}  // namespace skirmish::tasks
