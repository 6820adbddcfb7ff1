#include "simulation/demo_screen.hpp"

#include <gtest/gtest.h>

namespace skirmish::cli {
namespace {

TEST(demo_screen, a_line_is_cut_between_characters) {
  EXPECT_EQ(cut_to("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_to("abcdef", 5), "abcd…");
  EXPECT_EQ(cut_to("позже", 5), "позже");
  EXPECT_EQ(cut_to("позже", 4), "поз…");
  EXPECT_EQ(cut_to("ab👋", 4), "ab👋");
  EXPECT_EQ(cut_to("ab👋c", 4), "ab…") << "an emoji takes two cells";
  EXPECT_EQ(cut_to("\xff\xfe\xf0", 2), "\xff…");
  EXPECT_EQ(cut_to("x", 0), "");
  EXPECT_EQ(cut_to("", 0), "");
}

TEST(demo_screen, sections_share_the_rows) {
  const std::vector<screen_section> sections{
      {.title = "Board", .lines = {"1", "2", "3"}},
      {.title = "Feed", .lines = {"a", "b", "c"}, .newest_last = true}};
  EXPECT_EQ(to_screen({"note"}, sections, {.rows = 24, .columns = 80}),
            "note\nBoard\n  1\n  2\n  3\nFeed\n  a\n  b\n  c\n");
  EXPECT_EQ(to_screen({}, sections, {.rows = 7, .columns = 80}),
            "Board\n  1\n  2\nFeed\n  b\n  c\n");
  EXPECT_EQ(to_screen({}, sections, {.rows = 6, .columns = 80}), "Board\n  1\n  2\nFeed\n  c\n");
  EXPECT_EQ(to_screen({}, sections, {.rows = 1, .columns = 3}), "Bo…\nFe…\n");
}

}  // namespace
}  // namespace skirmish::cli
