#include "tasks/beat/cron.hpp"

#include "tasks/beat/beat.hpp"
#include "tasks/worker/job.hpp"

#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

std::string next(std::string_view line, std::string zone, std::string_view after) {
  const auto c = cron::parse(line, std::move(zone));
  if (!c) return c.error().message;
  const auto t = c->next_after(*parse_iso(after));
  return t ? to_iso(*t).substr(0, 16) : "never";
}

TEST(cron, finds_the_next_time) {
  EXPECT_EQ(next("* * * * *", "", "2026-11-21T04:06:11"), "2026-11-21T04:07");
  EXPECT_EQ(next("*/15 * * * *", "", "2026-11-21T04:15:00"), "2026-11-21T04:30");
  EXPECT_EQ(next("0 4 * * *", "", "2026-11-21T04:00:00"), "2026-11-22T04:00");
  EXPECT_EQ(next("0 0 29 2 *", "", "2026-11-21T00:00:00"), "2028-02-29T00:00");
  EXPECT_EQ(next("30 8 * * mon-fri", "", "2026-11-21T00:00:00"), "2026-11-23T08:30");
  EXPECT_EQ(next("0 0 13 * 5", "", "2026-11-21T00:00:00"),
            "2026-11-27T00:00");  // either day is enough
  EXPECT_EQ(next("0 0 * * 7", "", "2026-11-21T00:00:00"), "2026-11-22T00:00");
  EXPECT_EQ(next("0 0 31 2 *", "", "2026-11-21T00:00:00"), "never");
}

TEST(cron, knows_time_zones_and_changes_of_clocks) {
  EXPECT_EQ(next("0 4 * * *", "Europe/Paris", "2026-07-01T00:00:00"), "2026-07-01T02:00");
  EXPECT_EQ(next("0 4 * * *", "Europe/Paris", "2026-12-01T00:00:00"), "2026-12-01T03:00");
  // What runs every hour runs in the hour that comes twice, too: 00:00 and 01:00 UTC are both
  // 02:00.
  EXPECT_EQ(next("*/30 * * * *", "Europe/Paris", "2026-10-25T00:30:00"), "2026-10-25T01:00");
  EXPECT_EQ(next("*/30 * * * *", "Europe/Paris", "2026-10-25T01:00:00"), "2026-10-25T01:30");
  // The first of the two.
  EXPECT_EQ(next("0 2 * * *", "Europe/Paris", "2026-10-24T12:00:00"), "2026-10-25T00:00");
  EXPECT_EQ(next("0 2 * * *", "Europe/Paris", "2026-10-25T00:00:00"), "2026-10-26T01:00");
  EXPECT_EQ(next("0 2 * * *", "Asia/Tokyo", "2026-10-25T00:00:00"), "2026-10-25T17:00");
  EXPECT_EQ(next("0 2 * * *", "America/Sao_Paulo", "2026-01-25T00:00:00"), "2026-01-25T05:00");
  EXPECT_EQ(next("*/30 * * * *", "Europe/Paris", "2026-03-29T00:45:00"), "2026-03-29T01:00");
  EXPECT_EQ(next("*/30 * * * mon", "Europe/Paris", "2026-03-29T00:45:00"), "2026-03-29T22:00");
  // 02:30 does not exist on 29 March 2026.
  EXPECT_EQ(next("30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00"), "2026-03-30T00:30");
}

TEST(cron, refuses_bad_lines) {
  for (const char* bad : {"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
                          "* * * * 8", "a * * * *", "*/0 * * * *", "5-1 * * * *", "* * * * * *"})
    EXPECT_FALSE(cron::parse(bad, "")) << bad;
  EXPECT_FALSE(cron::parse("* * * * *", "Mars/Olympus"));
  EXPECT_FALSE(cron::parse("* * * * *", "../../etc/passwd"));
}

TEST(beat, reads_its_entries) {
  EXPECT_TRUE(parse_periodic("e", {{"task", "t"}, {"every", "30s"}}));
  EXPECT_TRUE(parse_periodic(
      "e",
      {{"task", "t"}, {"cron", "0 4 * * *"}, {"timezone", "Europe/Paris"}, {"missed", "skip"}}));
  EXPECT_FALSE(parse_periodic("e", {{"every", "30s"}}));
  EXPECT_FALSE(parse_periodic("e", {{"task", "t"}}));
  EXPECT_FALSE(parse_periodic("e", {{"task", "t"}, {"every", "0s"}}));
  EXPECT_FALSE(parse_periodic("e", {{"task", "t"}, {"every", "1s"}, {"cron", "* * * * *"}}));
  EXPECT_FALSE(parse_periodic("e", {{"task", "t"}, {"every", "1s"}, {"missed", "never"}}));
  // What is misspelt or of another type is refused, not ignored.
  for (const json_object& more :
       {json_object{{"misssed", "skip"}}, json_object{{"args", 3}}, json_object{{"kwargs", "x"}},
        json_object{{"priority", 10}}, json_object{{"priority", "high"}},
        json_object{{"expires_s", 0}}, json_object{{"queue", 1}}, json_object{{"cron", 5}},
        json_object{{"timezone", "Europe/Paris"}}}) {
    json_object entry{{"task", "t"}, {"every", "1s"}};
    entry.insert(more.begin(), more.end());
    EXPECT_FALSE(parse_periodic("e", entry)) << json(more);
  }
}

TEST(rate, limits_as_celery_writes_them) {
  EXPECT_EQ(parse_rate_interval_s("10/s"), 0.1);
  EXPECT_EQ(parse_rate_interval_s("60/m"), 1.0);
  EXPECT_EQ(parse_rate_interval_s("1/h"), 3600.0);
  EXPECT_EQ(parse_rate_interval_s("5"), 0.2);
  EXPECT_EQ(parse_rate_interval_s(""), 0.0);
  for (const char* bad : {"x", "1/d", "-1/s", "1/", "/s"})
    EXPECT_FALSE(parse_rate_interval_s(bad)) << bad;
}

}  // namespace
}  // namespace skirmish::tasks
