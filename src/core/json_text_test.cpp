#include "core/json_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

namespace skirmish {
namespace {

namespace json = boost::json;

std::string number(double n) { return json_text_of(json::value(n)); }

TEST(json_text, numbers_are_written_as_people_expect) {
  EXPECT_EQ(number(48.8566), "48.8566");
  EXPECT_EQ(number(0.0), "0");
  EXPECT_EQ(number(-0.0), "0");
  EXPECT_EQ(number(0.00052), "0.00052");
  EXPECT_EQ(number(-2.3522), "-2.3522");
  EXPECT_EQ(number(5.0), "5");
  EXPECT_EQ(number(100'000.0), "100000");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(0.000001), "0.000001");
  EXPECT_EQ(number(1234567.25), "1234567.25");
  EXPECT_EQ(number(9007199254740993.0), "9007199254740992");
  EXPECT_EQ(number(1e20), "100000000000000000000");
  EXPECT_EQ(json_text_of(json::value(std::numeric_limits<std::int64_t>::min())),
            "-9223372036854775808");
  EXPECT_EQ(json_text_of(json::value(std::numeric_limits<std::uint64_t>::max())),
            "18446744073709551615");
}

TEST(json_text, only_extraordinary_magnitudes_have_an_exponent) {
  EXPECT_EQ(number(1e21), "1e+21");
  EXPECT_EQ(number(5e-324), "5e-324");
  EXPECT_EQ(number(1.5e-7), "1.5e-07");
}

TEST(json_text, what_json_cannot_hold_is_null) {
  EXPECT_EQ(number(std::nan("")), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
}

TEST(json_text, a_rounded_number_has_no_zeros_at_its_end) {
  EXPECT_EQ(rounded_json_number(48.856601, 5), "48.8566");
  EXPECT_EQ(rounded_json_number(12.3, 3), "12.3");
  EXPECT_EQ(rounded_json_number(-0.0001, 2), "0");
  EXPECT_EQ(rounded_json_number(1e300, 30), "1e+300");
}

TEST(json_text, every_double_reads_back_as_itself) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    const auto n = std::bit_cast<double>(random());
    if (!std::isfinite(n)) continue;
    // Parsed exactly: what the reader rounds is none of the writer's.
    EXPECT_EQ(std::strtod(number(n).c_str(), nullptr), n) << number(n);
  }
}

TEST(json_text, everything_but_fractions_is_written_as_boost_writes_it) {
  for (const auto* text :
       {R"({})", R"([])", R"({"a":[1,-2,true,false,null,"x"],"b":{"c":{}},"":[[]]})",
        R"("\b\f\n\r\t\"\\\u0000\u001f/é世界😀")",
        R"([18446744073709551615,-9223372036854775808])"}) {
    const auto v = json::parse(text);
    EXPECT_EQ(json_text_of(v), json::serialize(v));
  }
}

}  // namespace
}  // namespace skirmish
