#include "interactions/attack_dump.hpp"

#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

TEST(crc64, has_the_known_check_values) {
  EXPECT_EQ(crc64("123456789"), 0xe9c6d914c4b8d9caU);
  EXPECT_EQ(crc64("This is a test of the emergency broadcast system."), 0x27db187fc15bbc72U);
}

TEST(dump_attack, is_what_redis_dumps) {
  // DUMP of a hash {id: "x", damage: "seventeen", ts: "now"} by Redis 7.0.15; its own dumps write
  // small numbers as numbers, which ours do not need.
  std::string out;
  dump_attack(out, "x", "seventeen", "now");
  EXPECT_EQ(out.substr(out.size() - 10, 2), std::string("\x0a\0", 2));
  EXPECT_EQ(out[0], 16);
}

}  // namespace
}  // namespace skirmish::interactions
