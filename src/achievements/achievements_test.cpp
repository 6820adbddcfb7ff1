#include "achievements/achievements.hpp"

#include <gtest/gtest.h>

namespace skirmish::achievements {
namespace {

TEST(achievement_rules, are_read) {
  EXPECT_EQ(*parse_rules("first-blood kills 1,  veteran level 10 ,"),
            "kills 1 first-blood;level 10 veteran;");
  EXPECT_EQ(*parse_rules(""), "");
}

TEST(achievement_rules, that_are_wrong_are_named) {
  for (const auto* text :
       {"a kills", "a deaths 1", "a kills 0", "a kills x", "a kills 1 2", "a;b kills 1"}) {
    const auto rules = parse_rules(text);
    ASSERT_FALSE(rules) << text;
    EXPECT_NE(rules.error().message.find("`a"), std::string::npos) << rules.error().message;
  }
}

}  // namespace
}  // namespace skirmish::achievements
