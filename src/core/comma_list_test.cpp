#include "core/comma_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(comma_list, items_are_trimmed_and_empty_ones_left_out) {
  EXPECT_THAT(items_of("a, b\t,c d"), ElementsAre("a", "b", "c d"));
  EXPECT_THAT(items_of(",a,, ,b,"), ElementsAre("a", "b"));
  EXPECT_THAT(items_of(""), IsEmpty());
  EXPECT_THAT(items_of(" , "), IsEmpty());
}

TEST(comma_list, items_are_taken_one_by_one) {
  std::string_view list = " a ,,b";
  EXPECT_EQ(take_item(list), "a");
  EXPECT_EQ(take_item(list), "");
  EXPECT_EQ(take_item(list), "b");
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(take_item(list), "");
}

}  // namespace
}  // namespace skirmish
