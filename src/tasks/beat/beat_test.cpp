#include "tasks/beat/beat.hpp"

#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

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

// The files of the cases, as the schedule of a configuration would have them.
TEST(beat, refuses_lines_that_never_fire_with_the_reason) {
  const auto never = parse_periodic("e", {{"task", "t"}, {"cron", "0 0 31 2 *"}});
  ASSERT_FALSE(never);
  EXPECT_NE(never.error().message.find("can never fire"), std::string::npos);
  const auto overflow = parse_periodic("e", {{"task", "t"}, {"cron", "*/4294967296 * * * *"}});
  ASSERT_FALSE(overflow);
  EXPECT_NE(overflow.error().message.find("a step is a number from 1 to 60"), std::string::npos);
  EXPECT_TRUE(parse_periodic("e", {{"task", "t"}, {"cron", "@daily"}}));
}

}  // namespace
}  // namespace skirmish::tasks
