#include "interactions/attack_dump.hpp"

#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

TEST(crc64, has_the_known_check_value) { EXPECT_EQ(crc64("123456789"), 0xe9c6d914c4b8d9caU); }

TEST(dump_attack, names_its_type_and_version) {
  std::string out;
  dump_attack(out, "x", "seventeen", "now");
  EXPECT_EQ(out.substr(out.size() - 10, 2), std::string("\x0a\0", 2));
  EXPECT_EQ(out[0], 16);
}

}  // namespace
}  // namespace skirmish::interactions
