#include "config.hpp"

#include "core/parse.hpp"
#include "secrets.hpp"

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

TEST(config, a_table_of_names_and_values_keeps_its_order) {
  const config_file file("[status.probes]\nlobby = \"minecraft://m\"\narena = \"a2s://a:27015\"\n");
  const auto c =
      load_config(file.path(), {},
                  {{"status.probes.arena", "a2s://b"}, {"status.probes.web", "http://h/?a=1"}})
          .value();
  EXPECT_THAT(c.status.probes, ::testing::ElementsAre(::testing::Pair("lobby", "minecraft://m"),
                                                      ::testing::Pair("arena", "a2s://b"),
                                                      ::testing::Pair("web", "http://h/?a=1")));
  EXPECT_THAT(show(c), HasSubstr("status.probes = (set, hidden)"));
  const auto other =
      load_config("", {{"SKIRMISH_STATUS_PROBES", " one = tcp://h:1,two=tcp://h:2,"}}, {}).value();
  EXPECT_THAT(other.status.probes, ::testing::ElementsAre(::testing::Pair("one", "tcp://h:1"),
                                                          ::testing::Pair("two", "tcp://h:2")));
  EXPECT_THAT(problem(load_config("", {}, {{"status.probes", "tcp://h:1"}})),
              HasSubstr("name=value"));
  EXPECT_THAT(problem(load_config("", {}, {{"status.probes.a b", "tcp://h:1"}})),
              HasSubstr("wrong name"));
}

TEST(config, secrets_are_masked) {
  const auto c = load_config("", {{"DB_PASSWORD", "hunter2"}}, {}).value();
  EXPECT_THAT(show(c), HasSubstr("db.password = (set, hidden)"));
  EXPECT_THAT(show(c), ::testing::Not(HasSubstr("hunter2")));
}

TEST(config, every_setting_that_may_hold_a_secret_is_masked) {
  for (const auto* name : {"redis.url", "db.url", "db.password", "status.probe"}) {
    const auto c = load_config("", {}, {{name, "https://bob:hunter2@h/?token=hunter2"}}).value();
    EXPECT_THAT(show(c), HasSubstr(std::string(name) + " = (set, hidden)"));
    EXPECT_THAT(show(c), ::testing::Not(HasSubstr("hunter2")));
  }
  // A new one must be in the list above.
  const auto secret_names = [](const setting& s) {
    for (const auto* word : {"password", "secret", "token", "url", "webhook"})
      if (s.name.find(word) != std::string::npos) return true;
    return s.name == "status.probe" || s.name == "status.probes" ||
           s.name == "ingest.udp_servers" || s.name.ends_with("_key");
  };
  for (const auto& s : settings()) EXPECT_EQ(s.secret, secret_names(s)) << s.name;
}

TEST(config, secrets_come_from_files_too) {
  const config_file secret("hunter2\n");
  for (const auto* variable : {"DB_PASSWORD_FILE", "SKIRMISH_DB_PASSWORD_FILE"})
    EXPECT_EQ(load_config("", {{variable, secret.path()}}, {}).value().db.password, "hunter2");
  EXPECT_EQ(load_config("", {}, {{"db.password_file", secret.path()}}).value().db.password,
            "hunter2");
  EXPECT_THAT(
      problem(load_config("", {{"DB_PASSWORD_FILE", secret.path()}, {"DB_PASSWORD", "x"}}, {})),
      HasSubstr("DB_PASSWORD or DB_PASSWORD_FILE, not both"));
  EXPECT_THAT(problem(load_config("", {{"DB_PASSWORD_FILE", "/nonesuch"}}, {})),
              HasSubstr("DB_PASSWORD_FILE: cannot read /nonesuch"));
  EXPECT_THAT(problem(load_config("", {{"DB_PASSWORD_FILE", "/"}}, {})),
              HasSubstr("cannot read /"));
  EXPECT_THAT(problem(load_config("", {}, {{"http.listen_file", secret.path()}})),
              HasSubstr("unknown setting"));
}

TEST(config, a_file_holds_a_secret_alone) {
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"", "is empty"},
           {"\n", "is empty"},
           {"hunter2\nhunter3\n", "on one line"},
           {std::string("hunter2\0", 8), "on one line"},
           {std::string(100'000, 'x'), "larger than 64 KiB"}}) {
    const config_file file(text);
    const auto read = read_secret_file(file.path());
    ASSERT_TRUE(read.has_error());
    EXPECT_THAT(read.error().message, HasSubstr(what));
    EXPECT_THAT(read.error().message, ::testing::Not(HasSubstr("hunter")));
  }
  const config_file file("with spaces\r\n");
  EXPECT_EQ(read_secret_file(file.path()).value(), "with spaces");
}

TEST(config, what_must_not_stand_on_a_command_line) {
  EXPECT_TRUE(holds_secret("db.password", "x"));
  EXPECT_TRUE(holds_secret("redis.url", "redis://:x@cache"));
  EXPECT_TRUE(holds_secret("redis.url", "unix:///s.sock?password=x"));
  EXPECT_TRUE(holds_secret("status.probe", "https://h/health?token=x"));
  EXPECT_FALSE(holds_secret("redis.url", "redis://cache:7000/3"));
  EXPECT_FALSE(holds_secret("db.password", ""));
  EXPECT_FALSE(holds_secret("db.user", "x"));
  EXPECT_FALSE(holds_secret("nonesuch", "x"));
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
