#include "tasks/protocol/python_literal.hpp"

#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/python_repr.hpp"

#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

std::string read(std::string_view text) {
  const auto v = parse_python_literal(text);
  return v ? to_json_text(*v) : "nothing";
}

TEST(python_literal, reads_what_json_can_hold) {
  EXPECT_EQ(read("(2, 3)"), to_json_text(*parse_json("[2, 3]")));
  EXPECT_EQ(read("(1,)"), "[1]");
  EXPECT_EQ(read("()"), "[]");
  EXPECT_EQ(read("[None, True, False, -1.5, 1e+20]"),
            to_json_text(*parse_json("[null, true, false, -1.5, 1e+20]")));
  EXPECT_EQ(read("{'a': ['x', \"it's\"], 'b': {}}"),
            to_json_text(*parse_json(R"({"a": ["x", "it's"], "b": {}})")));
  EXPECT_EQ(read("123456789012345678901234567890"),
            to_json_text(*parse_json("123456789012345678901234567890")));
}

TEST(python_literal, refuses_what_may_not_say_all) {
  for (const auto* text :
       {"", "(2, ...)", "[1, 2", "('a\\nb',)", "('it's',)", "datetime.date(2026, 1, 1)", "{1: 2}",
        "b'x'", "nan", "inf", "(1)", "1 2", "'a' 'b'", "[1] x", "{'a'}", "<object at 0x1>"})
    EXPECT_EQ(read(text), "nothing") << text;
  EXPECT_EQ(read("('" + std::string(2000, 'x') + "...',)"), "nothing");
  EXPECT_EQ(read(std::string(10'000, '[')), "nothing");
}

TEST(python_literal, reads_back_what_python_repr_wrote) {
  const auto v = *parse_json(R"([1, "two", {"three": [3.5, null]}, []])");
  EXPECT_EQ(read(python_repr(v)), to_json_text(v));
}

}  // namespace
}  // namespace skirmish::tasks
