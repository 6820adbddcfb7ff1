#include "config.hpp"

#include "core/parse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class config_file {
 public:
  explicit config_file(const std::string& text)
      : path_(::testing::TempDir() + "skirmish_config_test.toml") {
    std::ofstream(path_) << text;
  }
  ~config_file() { std::remove(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string problem(const result<config>& r) {
  return r.has_error() ? r.error().message : "no error";
}

TEST(config, layers_in_order) {
  const config_file file(
      "[http]\nlisten = \"0.0.0.0:1\"\nbody_limit = \"2MiB\"\nidle_timeout = 30\n");
  const auto c =
      load_config(file.path(), {{"SKIRMISH_HTTP_LISTEN", "0.0.0.0:2"}, {"DB_HOST", "db"}},
                  {{"http.listen", "0.0.0.0:3"}})
          .value();
  EXPECT_EQ(c.http.listen, "0.0.0.0:3");
  EXPECT_EQ(c.http.body_limit_bytes, 2 << 20);
  EXPECT_EQ(c.http.idle_timeout, 30s);
  EXPECT_EQ(c.db.host, "db");
}

TEST(config, own_variable_wins_over_the_customary_one) {
  const auto c =
      load_config("", {{"REDIS_URL", "redis://a"}, {"SKIRMISH_REDIS_URL", "redis://b"}}, {})
          .value();
  EXPECT_EQ(c.redis.url, "redis://b");
}

TEST(config, unknown_names_are_refused_with_the_nearest) {
  const config_file file("[http]\nlistn = \"x\"\n");
  EXPECT_THAT(problem(load_config(file.path(), {}, {})), HasSubstr("did you mean `http.listen`?"));
  EXPECT_THAT(problem(load_config("", {{"SKIRMISH_HTTP_LISTN", "x"}}, {})),
              HasSubstr("SKIRMISH_HTTP_LISTEN"));
  EXPECT_THAT(problem(load_config("", {}, {{"redis.ulr", "x"}})), HasSubstr("redis.url"));
}

TEST(config, bad_values_are_refused_with_the_reason) {
  EXPECT_THAT(problem(load_config("", {}, {{"server.threads", "many"}})),
              HasSubstr("whole number"));
  EXPECT_THAT(problem(load_config("", {}, {{"server.threads", "1000"}})), HasSubstr("0 to 256"));
  EXPECT_THAT(problem(load_config("", {{"SKIRMISH_REDIS_TIMEOUT", "soon"}}, {})),
              HasSubstr("duration"));
  EXPECT_THAT(problem(load_config("does-not-exist.toml", {}, {})),
              HasSubstr("does-not-exist.toml"));
  const config_file file("[http]\nlisten = [1]\n");
  EXPECT_THAT(problem(load_config(file.path(), {}, {})), HasSubstr("must be a string"));
}

TEST(config, secrets_are_masked) {
  const auto c = load_config("", {{"DB_PASSWORD", "hunter2"}}, {}).value();
  EXPECT_THAT(show(c), HasSubstr("db.password = (set, hidden)"));
  EXPECT_THAT(show(c), ::testing::Not(HasSubstr("hunter2")));
}

TEST(parse, durations_sizes_integers) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("7"), 7s);
  for (const auto* bad : {"", "s", "-1s", "1.5s", "1 s", "99999999999999d", "1w"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(parse_bytes("64KiB"), 65536);
  EXPECT_FALSE(parse_bytes("64KB"));
  EXPECT_EQ(parse_integer("-5"), -5);
  for (const auto* bad : {"", "5x", "0x5", "9223372036854775808", " 5"})
    EXPECT_FALSE(parse_integer(bad)) << bad;
}

TEST(parse, percent_decoding) {
  EXPECT_EQ(percent_decode("a%20b+c", true), "a b c");
  EXPECT_EQ(percent_decode("a+b", false), "a+b");
  EXPECT_FALSE(percent_decode("%4", false));
  EXPECT_FALSE(percent_decode("%zz", false));
}

TEST(parse, utf8) {
  EXPECT_TRUE(is_valid_utf8("plain, \xC3\xA9, \xE2\x82\xAC, \xF0\x9F\x8E\xAE"));
  for (const auto* bad :
       {"\x80", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xFF"})
    EXPECT_FALSE(is_valid_utf8(bad));
}

}  // namespace
}  // namespace skirmish
