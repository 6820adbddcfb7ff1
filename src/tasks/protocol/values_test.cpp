// Values that JSON does not have: a task gives back what it was given, and reads what Python tags.
#include "skirmish/tasks/values.hpp"

#include "skirmish/tasks/call.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/python_repr.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace skirmish::tasks {
namespace {

json tagged(const char* type, json value) {
  return json_object{{"__type__", type}, {"__value__", std::move(value)}};
}

std::string there_and_back(const std::string& text) {
  const auto read = parse_json(text);
  return read ? to_json_text(*read) : read.error().message;
}

TEST(values, come_back_as_they_were_written) {
  for (const char* text : {"1000000000000000000000000000000",
                           "-9223372036854775809",
                           "18446744073709551616",
                           "18446744073709551615",
                           "9223372036854775807",
                           "-9223372036854775808",
                           "9007199254740993",
                           "0.1",
                           "-0.0",
                           "1.7976931348623157e+308",
                           "5e-324",
                           "0.30000000000000004",
                           "1e+22",
                           "9007199254740992.0",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "[]",
                           "{}",
                           "null",
                           "true",
                           R"("a\ud83db")",
                           R"("\udc00")",
                           R"("\ud83d\ud83d")",
                           R"(["\\ud83d","\"\\"])",
                           R"({"\ud83d":{"k":[1.0,{"n":-100000000000000000000}]}})"})
    EXPECT_EQ(there_and_back(text), text);
  // The same value, written otherwise: what Python would write for it.
  EXPECT_EQ(there_and_back("1E5"), "100000.0");
  EXPECT_EQ(there_and_back("1e400"), "Infinity");
  EXPECT_EQ(there_and_back("-1e400"), "-Infinity");
  EXPECT_EQ(there_and_back("1e-400"), "0.0");
  EXPECT_EQ(there_and_back("-0"), "0");
  EXPECT_EQ(there_and_back(R"("\ud83d\ude00")"), "\"\U0001F600\"");
  EXPECT_EQ(there_and_back(R"("\ud83d\ud83d\ude00")"), "\"\\ud83d\U0001F600\"");
  EXPECT_EQ(to_json_text(json(std::nan("")), json_dialect::strict), "null");
}

TEST(values, nest_as_deep_as_pythons) {
  for (const std::size_t depth : {150U, 990U}) {
    const auto lists = std::string(depth, '[') + std::string(depth, ']');
    EXPECT_EQ(there_and_back(lists), lists);
    std::string objects;
    for (std::size_t i = 0; i < depth; ++i) objects += "{\"a\":";
    objects += "1" + std::string(depth, '}');
    EXPECT_EQ(there_and_back(objects), objects);
  }
  for (const char* open : {"[", "{\"a\":", "[[{\"b\":"}) {
    std::string endless;
    while (endless.size() < 1'000'000) endless += open;
    EXPECT_FALSE(parse_json(endless));
  }
}

TEST(values, bad_text_is_refused) {
  for (const char* text : {"", "[", "1 2", "{\"a\"}", "\"\\ud8\"", "\"\\ud83\"", "01", "1e", "-",
                           "\"\\u\"", "nul", "[1,]", "\"\\"})
    EXPECT_FALSE(parse_json(text)) << text;
}

TEST(values, big_integers_are_told_from_everything_else) {
  const auto big = parse_json("-123456789012345678901234567890");
  ASSERT_TRUE(big);
  EXPECT_EQ(big_integer(*big), "-123456789012345678901234567890");
  EXPECT_EQ(python_repr(*big), "-123456789012345678901234567890");
  EXPECT_EQ(as_number(*big), -123456789012345678901234567890.0);
  // No text that a sender chooses gets out of it unquoted.
  for (const char* text : {"", "-", "1, 2", "01", "0x1", "1.5", "null"}) {
    const json forged = json_object{{big_integer_key, text}};
    EXPECT_FALSE(big_integer(forged)) << text;
  }
  EXPECT_FALSE(big_integer(json(5)));
  EXPECT_FALSE(big_integer(json_object{{"integer", "5"}}));
}

TEST(values, what_kombu_tags_can_be_read) {
  EXPECT_EQ(plain_value(tagged("uuid", {{"hex", "9b554be28d2c4f3e9d0c5c1f1c2f7d11"}})),
            "9b554be2-8d2c-4f3e-9d0c-5c1f1c2f7d11");
  EXPECT_EQ(plain_value(tagged("decimal", "1.50")), "1.50");
  EXPECT_EQ(plain_value(tagged("bytes", "abc")), "abc");
  EXPECT_EQ(plain_value(tagged("base64", "/wA=")), json(std::string("\xFF\0", 2)));
  EXPECT_EQ(plain_value(tagged("date", "2026-11-21")), "2026-11-21");
  EXPECT_EQ(plain_value(tagged("time", "04:06:11")), "04:06:11");
  const auto other = tagged("mine", 1);
  EXPECT_EQ(plain_value(other), other);
  const auto utc = parse_iso("2026-11-21T03:06:11.5Z");
  for (const char* text : {"2026-11-21T04:06:11.500000+01:00", "2026-11-21T03:06:11.5",
                           "2026-11-21T08:36:11.500000+05:30", "2026-11-20T19:06:11.5-08:00",
                           "2026-11-21T03:15:32.5+00:09:21"})
    EXPECT_EQ(as_time(tagged("datetime", text)), utc) << text;
  EXPECT_EQ(as_time(tagged("date", "2026-11-21")), parse_iso("2026-11-21T00:00:00Z"));
  EXPECT_FALSE(as_time(tagged("time", "04:06:11")));
  EXPECT_FALSE(as_time(json(5)));
  EXPECT_EQ(as_number(tagged("decimal", "2.5")), 2.5);
  EXPECT_FALSE(as_number(tagged("decimal", "2.5x")));
}

TEST(values, plain_parameters_take_tagged_values) {
  using detail::convert;
  EXPECT_EQ(convert<std::string>(tagged("uuid", {{"hex", "9b554be28d2c4f3e9d0c5c1f1c2f7d11"}}), 0),
            "9b554be2-8d2c-4f3e-9d0c-5c1f1c2f7d11");
  EXPECT_EQ(convert<double>(tagged("decimal", "0.25"), 0), 0.25);
  EXPECT_EQ(convert<std::int64_t>(tagged("decimal", "7"), 0), 7);
  EXPECT_THROW(convert<std::int64_t>(tagged("decimal", "7.5"), 0), task_error);
  EXPECT_EQ(convert<double>(*parse_json("100000000000000000000"), 0), 1e20);
  EXPECT_THROW(convert<std::int64_t>(*parse_json("100000000000000000000"), 0), task_error);
  EXPECT_THROW(convert<std::string>(*parse_json("100000000000000000000"), 0), task_error);
}

}  // namespace
}  // namespace skirmish::tasks
