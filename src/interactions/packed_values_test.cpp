#include "interactions/packed_values.hpp"

#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

TEST(packed_values, writes_messagepack) {
  packed_values v;
  v.add("ab");
  v.add(std::int64_t{7});
  v.add(std::int64_t{128});
  EXPECT_EQ(v.take(), std::string("\xdd\0\0\0\3\xa2"
                                  "ab\x07\xd3\0\0\0\0\0\0\0\x80",
                                  18));
}

TEST(packed_values, long_texts_carry_their_length) {
  packed_values v;
  v.add(std::string(31, 'x'));
  v.add(std::string(32, 'x'));
  v.add(std::string(256, 'x'));
  v.add(std::string(65'536, 'x'));
  const auto out = v.take();
  EXPECT_EQ(out.size(), 5U + 1 + 31 + 2 + 32 + 3 + 256 + 5 + 65'536);
  EXPECT_EQ(out[5], '\xbf');
  EXPECT_EQ(out.substr(5 + 32, 2), "\xd9\x20");
  EXPECT_EQ(out.substr(5 + 32 + 34, 3), std::string("\xda\x01\x00", 3));
}

}  // namespace
}  // namespace skirmish::interactions
