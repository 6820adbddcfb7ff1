#include "leaderboards/cron.hpp"
#include "leaderboards/place.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

namespace skirmish::leaderboards {
namespace {

std::string next(std::string_view expression, std::string_view after) {
  const auto schedule = cron::parse(expression);
  if (!schedule) return schedule.error().message;
  const auto t = schedule->next_after(*parse_rfc3339(after));
  return t ? to_rfc3339(*t) : "never";
}

TEST(cron, finds_the_next_time) {
  EXPECT_EQ(next("* * * * *", "2026-11-21T10:20:30Z"), "2026-11-21T10:21:00.000Z");
  EXPECT_EQ(next("20 10 * * *", "2026-11-21T10:20:00Z"), "2026-11-22T10:20:00.000Z");
  EXPECT_EQ(next("0 0 * * MON", "2026-11-21T10:20:00Z"), "2026-11-23T00:00:00.000Z");
  EXPECT_EQ(next("@weekly", "2026-11-23T00:00:00Z"), "2026-11-30T00:00:00.000Z");
  EXPECT_EQ(next("*/15 8-9,18 * * 1-5", "2026-11-20T09:50:00Z"), "2026-11-20T18:00:00.000Z");
  EXPECT_EQ(next("0 0 1 jan *", "2026-11-21T00:00:00Z"), "2027-01-01T00:00:00.000Z");
  EXPECT_EQ(next("0 12 * * 7", "2026-11-21T00:00:00Z"), "2026-11-22T12:00:00.000Z");
  EXPECT_EQ(next("0 0 29 2 *", "2026-03-01T00:00:00Z"), "2028-02-29T00:00:00.000Z");
}

TEST(cron, either_day_suffices_when_both_are_restricted) {
  EXPECT_EQ(next("0 0 13 * FRI", "2026-11-21T00:00:00Z"), "2026-11-27T00:00:00.000Z");
  EXPECT_EQ(next("0 0 13 * FRI", "2026-12-12T00:00:00Z"), "2026-12-13T00:00:00.000Z");
}

TEST(cron, refuses_what_makes_no_sense) {
  for (const auto* bad : {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
                          "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *",
                          "1, * * * *", "0 0 31 2 *", "@never", "-1 * * * *"})
    EXPECT_TRUE(cron::parse(bad).has_error()) << bad;
}

TEST(cursor, survives_the_way_to_the_client_and_back) {
  ASSERT_GE(sodium_init(), 0);
  const std::string entry = std::string(place_bytes, '\xFF') + "player:1";
  const auto text = to_text({direction::before, entry});
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_"),
            std::string::npos);
  const auto back = parse_cursor(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->entry, entry);
  EXPECT_EQ(back->to, direction::before);
}

TEST(cursor, refuses_what_it_did_not_make) {
  ASSERT_GE(sodium_init(), 0);
  const auto good = to_text({direction::after, std::string(place_bytes, '\0') + "p1"});
  for (const auto& bad : {std::string(), std::string("1"), std::string("%%%"), good.substr(0, 20),
                          good + "=", to_text({direction::after, std::string(place_bytes, 'x')}),
                          to_text({direction::after, std::string(place_bytes, 'x') + "a b"}),
                          to_text({direction::after, std::string(1'000, 'x')})})
    EXPECT_FALSE(parse_cursor(bad)) << bad;
}

}  // namespace
}  // namespace skirmish::leaderboards
