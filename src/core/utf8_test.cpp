#include "core/utf8.hpp"

#include "core/parse.hpp"

#include <gtest/gtest.h>

namespace skirmish {
namespace {

// Every sequence of up to three bytes out of the boundaries of RFC 3629's table.
TEST(utf8, the_scanner_and_the_validator_agree) {
  constexpr unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                     0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED,
                                     0xEE, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5};
  for (const auto a : edges)
    for (const auto b : edges)
      for (const auto c : edges) {
        const std::string text{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        bool is_valid = true;
        for (std::size_t pos = 0; pos < text.size();) {
          const auto here = utf8_character_at(text, pos);
          is_valid = is_valid && here.is_valid;
          pos += here.size_bytes;
        }
        EXPECT_EQ(is_valid_utf8(text), is_valid) << int{a} << ' ' << int{b} << ' ' << int{c};
        EXPECT_TRUE(is_valid_utf8(clean_text(text, 100)));
      }
}

TEST(utf8, four_bytes) {
  EXPECT_EQ(utf8_character_at("\xF0\x9F\x8E\xAE", 0).size_bytes, 4U);
  EXPECT_TRUE(utf8_character_at("\xF0\x9F\x8E\xAE", 0).is_valid);
  EXPECT_FALSE(utf8_character_at("\xF0\x8F\xBF\xBF", 0).is_valid) << "overlong";
  EXPECT_FALSE(utf8_character_at("\xF4\x90\x80\x80", 0).is_valid) << "above U+10FFFF";
  EXPECT_EQ(utf8_character_at("\xF0\x9F\x8E", 0).size_bytes, 3U) << "the maximal subpart";
  EXPECT_FALSE(utf8_character_at("\xF0\x9F\x8E", 0).is_valid);
}

TEST(clean_text, replaces_or_drops_what_must_not_be_shown) {
  EXPECT_EQ(clean_text("a\tb\x7F\xC2\x85", 64), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(clean_text("a\tb\x7F\xC2\x85", 64, faulty::dropped), "ab");
  // U+202E turns the rest of the line round.
  EXPECT_EQ(clean_text("a\xE2\x80\xAE"
                       "b",
                       64, faulty::dropped),
            "ab");
  EXPECT_EQ(clean_text("\xFF\xE2\x82", 64, faulty::dropped), "\uFFFD\uFFFD");
}

TEST(clean_text, is_cut_between_characters) {
  EXPECT_EQ(clean_text("éééé", 5), "éé");
  EXPECT_EQ(clean_text("abc", 2), "ab");
  EXPECT_EQ(clean_text("abc", 0), "");
}

}  // namespace
}  // namespace skirmish
