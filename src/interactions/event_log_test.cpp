#include "interactions/event_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(event_log, cursors_are_read_as_they_are_written) {
  for (const auto* text : {"0-0.0", "1700000000000-0.3", "1700000000000-12.10000"}) {
    const auto c = parse_log_cursor(text);
    ASSERT_TRUE(c.has_value()) << text;
    EXPECT_EQ(to_text(*c), text);
  }
  for (const auto* text :
       {"", ".", "-", "-.", "1-0", "1.0", "1-0.", "1-.0", "-0.0", "1-0.-1", "1--1.0", "a-0.0",
        "1-0.0 ", "(1-0.0", "+1-0.0", "1-0.1.2", "99999999999999999999-0.0"})
    EXPECT_FALSE(parse_log_cursor(text).has_value()) << text;
}

TEST(event_log, an_entry_holds_a_line_for_each_event) {
  using fields = std::vector<std::pair<std::string, std::string>>;
  EXPECT_THAT(decode_log_entry(fields{}), IsEmpty());
  EXPECT_THAT(decode_log_entry(fields{{"n", "0"}, {"events", ""}}), IsEmpty());
  EXPECT_THAT(decode_log_entry(fields{{"n", "2"}, {"events", "{\"a\":1}\n{\"b\":2}\n"}}),
              ElementsAre("{\"a\":1}", "{\"b\":2}"));
  EXPECT_THAT(decode_log_entry(fields{{"events", "{}"}}), ElementsAre("{}"));
}

}  // namespace
}  // namespace skirmish::interactions
