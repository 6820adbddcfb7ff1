#include "core/cron.hpp"

#include "core/clock.hpp"

#include <gtest/gtest.h>

namespace skirmish {
namespace {

std::string next(std::string_view line, std::string zone, std::string_view after) {
  const auto c = cron::parse(line, std::move(zone));
  if (!c) return c.error().message;
  const auto t = c->next_after(*parse_rfc3339(std::string(after) + "Z"));
  return t ? to_rfc3339(*t).substr(0, 16) : "never";
}

TEST(cron, finds_the_next_time) {
  EXPECT_EQ(next("* * * * *", "", "2026-11-21T04:06:11"), "2026-11-21T04:07");
  EXPECT_EQ(next("*/15 * * * *", "", "2026-11-21T04:15:00"), "2026-11-21T04:30");
  EXPECT_EQ(next("0 4 * * *", "", "2026-11-21T04:00:00"), "2026-11-22T04:00");
  EXPECT_EQ(next("0 0 29 2 *", "", "2026-11-21T00:00:00"), "2028-02-29T00:00");
  EXPECT_EQ(next("30 8 * * mon-fri", "", "2026-11-21T00:00:00"), "2026-11-23T08:30");
  EXPECT_EQ(next("0 0 * * 7", "", "2026-11-21T00:00:00"), "2026-11-22T00:00");
  EXPECT_EQ(next("*/15 8-9,18 * * 1-5", "", "2026-11-20T09:50:00"), "2026-11-20T18:00");
  EXPECT_EQ(next("0 0 1 jan *", "", "2026-11-21T00:00:00"), "2027-01-01T00:00");
  EXPECT_EQ(next("\t0  0 1 JAN * ", "", "2026-11-21T00:00:00"), "2027-01-01T00:00");
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

// Vixie's rule: either day is enough when both are restricted, and a field that starts with a star
// restricts nothing by this rule, though its step still counts.
TEST(cron, joins_day_and_weekday_as_vixie_does) {
  EXPECT_EQ(next("0 0 13 * FRI", "", "2026-11-21T00:00:00"), "2026-11-27T00:00");
  EXPECT_EQ(next("0 0 13 * FRI", "", "2026-12-12T00:00:00"), "2026-12-13T00:00");
  EXPECT_EQ(next("0 4 */2 * SAT", "", "2026-11-24T12:00:00"), "2026-12-05T04:00");
  EXPECT_EQ(next("0 0 13 * */5", "", "2026-11-21T00:00:00"), "2026-12-13T00:00");
  EXPECT_EQ(next("0 0 1-31/2 * SAT", "", "2026-11-24T12:00:00"), "2026-11-25T00:00");
  EXPECT_EQ(next("0 0 29 2 */7", "", "2026-11-21T00:00:00"), "2032-02-29T00:00");
}

TEST(cron, knows_nicknames) {
  const char* const after = "2026-11-21T10:20:00";  // a Saturday
  EXPECT_EQ(next("@hourly", "", after), "2026-11-21T11:00");
  EXPECT_EQ(next("@daily", "", after), "2026-11-22T00:00");
  EXPECT_EQ(next("@midnight", "", after), "2026-11-22T00:00");
  EXPECT_EQ(next("@weekly", "", after), "2026-11-22T00:00");
  EXPECT_EQ(next("@monthly", "", after), "2026-12-01T00:00");
  EXPECT_EQ(next("@yearly", "", after), "2027-01-01T00:00");
  EXPECT_EQ(next("@annually", "", after), "2027-01-01T00:00");
  EXPECT_EQ(next(" @Daily ", "Europe/Paris", after), "2026-11-21T23:00");
}

TEST(cron, steps_and_weekdays_at_their_edges) {
  const char* const after = "2026-11-21T10:20:00";  // a Saturday
  EXPECT_EQ(next("*/60 * * * *", "", after), "2026-11-21T11:00");
  EXPECT_EQ(next("5/1 * * * *", "", after), "2026-11-21T10:21");  // 5 to 59
  EXPECT_EQ(next("50/5 * * * *", "", after), "2026-11-21T10:50");
  EXPECT_EQ(next("0 12 * * MON-SUN", "", after), "2026-11-21T12:00");
  EXPECT_EQ(next("0 1 * * sat-sun", "", after), "2026-11-22T01:00");
  EXPECT_EQ(next("0 1 * * sun-mon", "", "2026-11-22T02:00:00"), "2026-11-23T01:00");
  EXPECT_EQ(next("0 1 * * sun-sun", "", "2026-11-22T02:00:00"), "2026-11-29T01:00");
  EXPECT_EQ(next("0 1 * * 5-7", "", "2026-11-21T02:00:00"), "2026-11-22T01:00");
}

TEST(cron, refuses_bad_lines) {
  for (const char* bad : {"",
                          "* * * *",
                          "60 * * * *",
                          "* 24 * * *",
                          "* * 0 * *",
                          "* * * 13 *",
                          "* * * * 8",
                          "a * * * *",
                          "*/0 * * * *",
                          "5-1 * * * *",
                          "* * * * * *",
                          "1, * * * *",
                          ",1 * * * *",
                          "@never",
                          "@reboot",
                          "@daily 1",
                          "-1 * * * *",
                          "+1 * * * *",
                          "*/61 * * * *",
                          "*/4294967296 * * * *",
                          "4294967296 * * * *",
                          "18446744073709551617 * * * *",
                          "1- * * * *",
                          "*/ * * * *",
                          "1/ * * * *",
                          "*-5 * * * *",
                          "? * * * *",
                          "* * L * *",
                          "* * * * mon#1",
                          "* * * * fri-mon",
                          "* * * dec-jan *",
                          "* * * * monday",
                          "1.5 * * * *",
                          "1-2-3 * * * *"})
    EXPECT_FALSE(cron::parse(bad)) << bad;
  EXPECT_FALSE(cron::parse(std::string(5000, '*')));
  EXPECT_FALSE(cron::parse("* * * * *", "Mars/Olympus"));
  EXPECT_FALSE(cron::parse("* * * * *", "../../etc/passwd"));
}

TEST(cron, refuses_lines_that_can_never_fire) {
  for (const char* never :
       {"0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6,9,11 *", "0 0 30,31 2 */2", "0 0 31 2 */7"}) {
    const auto c = cron::parse(never);
    ASSERT_FALSE(c) << never;
    EXPECT_NE(c.error().message.find("can never fire"), std::string::npos) << c.error().message;
  }
  // The clocks skip 02:30 on every 31 March that is a Sunday.
  EXPECT_FALSE(cron::parse("30 2 31 3 */7", "Europe/Paris"));
  EXPECT_TRUE(cron::parse("30 2 31 3 */7"));
  // A weekday comes in every month.
  EXPECT_TRUE(cron::parse("0 0 31 2 mon"));
  EXPECT_EQ(next("0 0 29 2 */7", "", "2088-03-01T00:00:00"), "2128-02-29T00:00") << "40 years off";
}

TEST(cron, answers_nothing_for_times_beyond_reason) {
  using namespace std::chrono;
  const auto c = cron::parse("* * * * *");
  ASSERT_TRUE(c);
  EXPECT_FALSE(c->next_after(sys_time<microseconds>::max()));
  EXPECT_FALSE(c->next_after(sys_time<microseconds>::min()));
}

}  // namespace
}  // namespace skirmish
