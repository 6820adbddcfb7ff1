#include "core/error.hpp"
#include "redis/key_space.hpp"
#include "redis/script.hpp"
#include "redis/value.hpp"

#include <boost/redis/resp3/serialization.hpp>
#include <gtest/gtest.h>

#include <cmath>

namespace skirmish {
namespace {

using redis::key_space;
using redis::script;
using redis::value;

// Parses RESP3 with the parser and the adapter that a connection uses.
std::vector<value> decoded(std::string_view wire) {
  std::vector<value> replies;
  boost::redis::any_adapter adapter(replies);
  while (!wire.empty()) {
    boost::redis::resp3::parser parser;
    boost::system::error_code problem;
    const bool complete = boost::redis::resp3::parse(parser, wire, adapter, problem);
    EXPECT_TRUE(complete && !problem) << problem.message();
    if (!complete || problem) break;
    wire.remove_prefix(parser.get_consumed());
  }
  return replies;
}

value one(std::string_view wire) {
  auto replies = decoded(wire);
  EXPECT_EQ(replies.size(), 1U);
  return replies.empty() ? value() : replies.front();
}

TEST(redis_value, leaves) {
  EXPECT_TRUE(one("_\r\n").is_nil());
  EXPECT_EQ(one("+OK\r\n").as_string(), "OK");
  EXPECT_EQ(one("$3\r\na\r\n\r\n").as_string(), "a\r\n");
  EXPECT_EQ(one("$0\r\n\r\n").as_string(), "");
  EXPECT_TRUE(one("$0\r\n\r\n").is_string());
  EXPECT_EQ(one("=8\r\ntxt:text\r\n").as_string(), "text");
  EXPECT_EQ(one(":-42\r\n").as_integer(), -42);
  EXPECT_EQ(one("#t\r\n").as_bool(), true);
  EXPECT_EQ(one("#f\r\n").as_integer(), 0);
  EXPECT_EQ(one(",1.5\r\n").as_double(), 1.5);
  EXPECT_EQ(one(",inf\r\n").as_double(), INFINITY);
  EXPECT_TRUE(std::isnan(one(",nan\r\n").as_double().value_or(0)));
  EXPECT_EQ(one("(123456789012345678901234567890\r\n").as_string(),
            "123456789012345678901234567890");
  EXPECT_TRUE(one("-ERR no\r\n").is_error());
  EXPECT_EQ(one("!6\r\nERR no\r\n").as_string(), "ERR no");
}

TEST(redis_value, numbers_in_strings) {
  EXPECT_EQ(one("$2\r\n42\r\n").as_integer(), 42);
  EXPECT_EQ(one("$3\r\n2.5\r\n").as_double(), 2.5);
  EXPECT_EQ(one("$3\r\n2.5\r\n").as_integer(), std::nullopt);
  EXPECT_EQ(one("$3\r\n42 \r\n").as_integer(), std::nullopt);
  EXPECT_EQ(one("$0\r\n\r\n").as_integer(), std::nullopt);
  EXPECT_EQ(one("$20\r\n99999999999999999999\r\n").as_integer(), std::nullopt);
  EXPECT_EQ(one(":9223372036854775807\r\n").as_integer(), 9223372036854775807);
  EXPECT_EQ(one("-42\r\n").as_integer(), std::nullopt);
}

TEST(redis_value, wrong_kinds_are_empty_not_fatal) {
  const auto number = one(":1\r\n");
  EXPECT_EQ(number.as_string(), "");
  EXPECT_EQ(number.size(), 0U);
  EXPECT_EQ(number.find("x"), nullptr);
  const auto list = one("*1\r\n:1\r\n");
  EXPECT_EQ(list.as_string(), "");
  EXPECT_EQ(list.as_integer(), std::nullopt);
  EXPECT_THROW((void)list[1], std::out_of_range);
}

TEST(redis_value, nested_aggregates_keep_their_shape) {
  const auto tree = one("*4\r\n*0\r\n*2\r\n:1\r\n%1\r\n+k\r\n~2\r\n+a\r\n_\r\n-ERR x\r\n:7\r\n");
  EXPECT_EQ(tree.to_text(), R"([[], [1, ["k", ["a", nil]]], error "ERR x", 7])");
  EXPECT_EQ(tree[1][1].kind(), value::type::map);
  EXPECT_EQ(tree[1][1][1].kind(), value::type::set);
  EXPECT_EQ(one(">2\r\n+message\r\n+x\r\n").kind(), value::type::push);
}

TEST(redis_value, replies_of_a_pipeline_are_one_value_each) {
  const auto replies = decoded("+OK\r\n-ERR no\r\n*2\r\n:1\r\n:2\r\n*0\r\n_\r\n");
  ASSERT_EQ(replies.size(), 5U);
  EXPECT_TRUE(replies[1].is_error());
  EXPECT_EQ(replies[2].size(), 2U);
  EXPECT_EQ(replies[3].size(), 0U);
  EXPECT_TRUE(replies[4].is_nil());
}

TEST(redis_value, maps) {
  const auto map = one("%3\r\n+hp\r\n$3\r\n100\r\n+lat\r\n,1.25\r\n+gone\r\n_\r\n");
  ASSERT_NE(map.find("hp"), nullptr);
  EXPECT_EQ(map.find("hp")->as_integer(), 100);
  EXPECT_EQ(map.find("mp"), nullptr);
  EXPECT_EQ(map.find("100"), nullptr) << "a value is not a key";
  const std::vector<std::pair<std::string, std::string>> expected{
      {"hp", "100"}, {"lat", "1.25"}, {"gone", ""}};
  EXPECT_EQ(map.as_pairs(), expected);
  const std::vector<std::string> texts{"1", "a", ""};
  EXPECT_EQ(one("*3\r\n:1\r\n+a\r\n_\r\n").as_strings(), texts);
}

TEST(redis_value, checked_throws_what_the_error_means) {
  const auto code_of = [](std::string_view wire) {
    try {
      redis::checked(decoded(wire));
    } catch (const failure& e) {
      return std::optional(e.code());
    }
    return std::optional<errc>();
  };
  EXPECT_EQ(code_of("+OK\r\n:1\r\n"), std::nullopt);
  EXPECT_EQ(code_of("+OK\r\n-WRONGTYPE x\r\n"), errc::internal);
  EXPECT_EQ(code_of("-LOADING Redis is loading\r\n"), errc::unavailable);
  EXPECT_EQ(code_of("-OOM command not allowed\r\n"), errc::unavailable);
  EXPECT_EQ(code_of("-LOADINGS x\r\n"), errc::internal);
  EXPECT_EQ(code_of("*2\r\n+OK\r\n-ERR in exec\r\n"), errc::internal);
  EXPECT_EQ(redis::checked(one(":5\r\n")).as_integer(), 5);
}

TEST(redis_value, literals_become_what_they_look_like) {
  EXPECT_EQ(value("text").kind(), value::type::string);
  EXPECT_EQ(value(1).kind(), value::type::integer);
  EXPECT_EQ(value(true).kind(), value::type::boolean);
  EXPECT_EQ(value(1.0).kind(), value::type::number);
}

TEST(redis_script, sha1_is_redis_own) {
  // From the documentation of SCRIPT LOAD and of SHA-1 (RFC 3174).
  EXPECT_EQ(script("one", "return 1").sha1(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  EXPECT_EQ(script("abc", "abc").sha1(), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(redis_script, evalsha_on_the_wire) {
  const script code("one", "return 1");
  const std::vector<std::string_view> keys{"k1", "k2"};
  const std::vector<std::string_view> args{"a b"};
  redis::request commands;
  redis::push_evalsha(commands, code, keys, args);
  redis::push_eval(commands, code, {}, {});
  EXPECT_EQ(commands.payload(),
            "*6\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n$1\r\n2\r\n"
            "$2\r\nk1\r\n$2\r\nk2\r\n$3\r\na b\r\n"
            "*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n");
  EXPECT_EQ(commands.get_expected_responses(), 2U);
}

TEST(redis_script, noscript) {
  EXPECT_TRUE(redis::is_noscript(one("-NOSCRIPT No matching script.\r\n")));
  EXPECT_FALSE(redis::is_noscript(one("-ERR NOSCRIPT\r\n")));
  EXPECT_FALSE(redis::is_noscript(one("+NOSCRIPT\r\n")));
}

TEST(redis_value, refusals_that_pass_are_unavailable) {
  const auto code_of = [](const char* reply) {
    try {
      redis::checked(one(reply));
    } catch (const failure& e) {
      return e.code();
    }
    return errc::not_found;
  };
  for (const auto* reply :
       {"-READONLY You can't write against a read only replica.\r\n",
        "-OOM command not allowed\r\n", "-NOREPLICAS Not enough good replicas to write.\r\n",
        "-MOVED 3999 127.0.0.1:6381\r\n", "-ASK 3999 127.0.0.1:6381\r\n",
        "-LOADING Redis is loading\r\n"})
    EXPECT_EQ(code_of(reply), errc::unavailable) << reply;
  for (const auto* reply : {"-ERR no\r\n", "-MOVEDX 1\r\n", "-WRONGTYPE Operation\r\n"})
    EXPECT_EQ(code_of(reply), errc::internal) << reply;
}

TEST(redis_key_space, the_default_world_has_no_prefix) {
  const key_space keys;
  EXPECT_EQ(keys.key("interactions"), "interactions");
  EXPECT_EQ(keys.key("presence", std::string("a:b"), std::string_view("c")), "presence:a:b@c");
  EXPECT_EQ(key_space::of_world("").value().prefix(), "");
}

TEST(redis_key_space, a_world_is_a_hash_tag) {
  const auto keys = key_space::of_world("arena-7").value();
  EXPECT_EQ(keys.key("user", "p1"), "{arena-7}:user:p1");
}

TEST(redis_key_space, worlds_are_ids) {
  for (const auto* bad : {"a b", "{x}", "a}b", "\n", "w\xC3\xB6rld"}) {
    const auto keys = key_space::of_world(bad);
    ASSERT_FALSE(keys) << bad;
    EXPECT_EQ(keys.error().code, errc::invalid_argument);
  }
  EXPECT_FALSE(key_space::of_world(std::string(65, 'w')));
}

}  // namespace
}  // namespace skirmish
