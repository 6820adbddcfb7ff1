#include "core/text.hpp"

#include <gtest/gtest.h>

namespace skirmish {
namespace {

TEST(text, its_limits_count_characters_of_any_size) {
  for (const std::string one : {"x", "é", "世", "😀"}) {
    std::string text;
    for (int i = 0; i < 8; ++i) text += one;
    EXPECT_EQ(count_characters(text), 8U);
    EXPECT_EQ(text_fault(text, lines::one, 8, 8), std::nullopt);
    EXPECT_EQ(text_fault(text, lines::one, 1, 7), "must have 1 to 7 characters");
    EXPECT_EQ(text_fault(text, lines::one, 9, 10), "must have 9 to 10 characters");
    EXPECT_EQ(first_characters(text, 3), text.substr(0, 3 * one.size()));
    EXPECT_EQ(first_characters(text, 8), text);
    EXPECT_EQ(first_characters(text, 100), text);
    EXPECT_EQ(first_characters(text, 0), "");
  }
  EXPECT_EQ(text_fault("a\nb", lines::one, 0, 9), "must be one line without tabs");
  EXPECT_EQ(text_fault("", lines::one, 0, 9), std::nullopt);
}

}  // namespace
}  // namespace skirmish
