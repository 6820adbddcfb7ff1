#include "interactions/activity_delta.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

std::string commit_text(std::string block, const std::vector<activity_delta>& deltas) {
  auto out = std::move(block) + '\n';
  for (const auto& a : deltas) append_activity_delta(out, a);
  return out;
}

TEST(activity_totals, adds_the_shares_of_a_player_and_keeps_the_place_of_the_last) {
  activity_totals all(20);
  EXPECT_TRUE(all.add(commit_text(
      "7", {{"b", 2, "00000", false, 2, "one\ntwo"}, {"a", 1, "00001", false, 1, "x"}})));
  EXPECT_TRUE(all.add(commit_text("8", {{"b", 3, "00004", true, 1, "three"}})));
  ASSERT_EQ(all.players().size(), 2U);
  const auto& b = all.players()[0];
  EXPECT_EQ(b.player_id, "b") << "in the order in which they come first";
  EXPECT_EQ(b.count, 5);
  EXPECT_EQ(b.mark, "800004");
  EXPECT_TRUE(b.keeps_profile);
  EXPECT_EQ(b.lines, 3);
  EXPECT_EQ(b.text, "one\ntwo\nthree");
  EXPECT_EQ(all.players()[1].mark, "700001");
  EXPECT_FALSE(all.players()[1].keeps_profile);
}

TEST(activity_totals, an_action_that_is_counted_elsewhere_changes_no_place) {
  activity_totals all(20);
  all.add(commit_text("7", {{"a", 2, "00003", false, 1, "x"}}));
  all.add(commit_text("0", {{"a", 0, "00000", false, 1, "trade"}}));
  EXPECT_EQ(all.players()[0].count, 2);
  EXPECT_EQ(all.players()[0].mark, "700003");
  EXPECT_EQ(all.players()[0].text, "x\ntrade");
}

TEST(activity_totals, forgets_the_oldest_lines_when_there_are_many) {
  activity_totals all(2);
  for (const auto* line : {"1", "2", "3", "4", "5"})
    all.add(commit_text("7", {{"a", 1, "00000", false, 1, line}}));
  EXPECT_EQ(all.players()[0].text, "3\n4\n5");
  EXPECT_EQ(all.players()[0].lines, 3);
}

TEST(activity_totals, says_when_a_text_is_cut_off) {
  const auto whole = commit_text("7", {{"a", 1, "00000", false, 1, "some words"}});
  for (std::size_t bytes = 3; bytes < whole.size(); ++bytes)
    EXPECT_FALSE(activity_totals(20).add(whole.substr(0, bytes))) << bytes;
  EXPECT_TRUE(activity_totals(20).add(whole));
}

}  // namespace
}  // namespace skirmish::interactions
