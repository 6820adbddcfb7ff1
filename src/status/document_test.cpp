#include "status/document.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const timestamp now = parse_rfc3339("2026-11-21T04:06:11.028Z").value();

TEST(status_document, has_the_agreed_form) {
  const auto made = read_constants({{"ServerStatus", "1", "up or down"},
                                    {"RateExp", "2.5", "experience"},
                                    {"CLIENT_STATUS", " 257 ", std::nullopt},
                                    {"Other", "text", "kept in _meta only"}},
                                   now);
  EXPECT_TRUE(made.complaints.empty());
  EXPECT_EQ(
      to_json(made.made),
      R"({"server_status":1.0,"rates":{"exp":2.5,"pvp":1.0,"pve":1.0,"color_mob":1.0,"skill":1.0},)"
      R"("client_status":257.0,"updated_at":"2026-11-21T04:06:11.028Z","updated_at_unix":1795233971.028,"scheduled_at":null,)"
      R"("_meta":{"CLIENT_STATUS":"","Other":"kept in _meta only","RateExp":"experience","ServerStatus":"up or down"}})");
}

TEST(status_document, missing_rows_take_the_defaults) {
  const auto made = read_constants({}, now).made;
  EXPECT_EQ(made.server_status, 1.0);
  EXPECT_EQ(made.rate_skill, 1.0);
  EXPECT_EQ(made.client_status, 256.0);
}

TEST(status_document, bad_rows_are_told_of_and_the_others_count) {
  std::string endless;
  endless.resize(10'000'000, 'x');
  const auto made = read_constants({{"RateExp", "many", ""},
                                    {"RatePvp", std::nullopt, ""},
                                    {"RatePve", "3", "first"},
                                    {"RatePve", "4", "second"},
                                    {std::nullopt, "5", ""},
                                    {"RateSkill", "inf", ""},
                                    {"RateColorMob", "1,5", ""},
                                    {"ServerStatus", "0", endless}},
                                   now);
  EXPECT_THAT(
      made.complaints,
      ElementsAre(HasSubstr("RateExp is `many`, not a number"), HasSubstr("RatePvp is NULL"),
                  HasSubstr("RatePve stands there twice"), HasSubstr("no Name"),
                  HasSubstr("RateSkill"), HasSubstr("RateColorMob"), HasSubstr("10000000 bytes")));
  EXPECT_EQ(made.made.rate_pve, 3.0);
  EXPECT_EQ(made.made.rate_exp, 1.0);
  EXPECT_EQ(made.made.server_status, 0.0);
  EXPECT_LE(made.made.meta.at("ServerStatus").size(), description_limit_bytes);
}

TEST(status_document, texts_are_valid_json_whatever_the_table_holds) {
  std::string wide;
  for (int i = 0; i < 341; ++i) wide += "\xE2\x82\xAC";
  const auto made =
      read_constants({{"A\"\n\xFF", "1", "\"quote\" \x01 caf\xC3\xA9"}, {"B", "1", wide}}, now)
          .made;
  const auto parsed = boost::json::parse(to_json(made));
  EXPECT_EQ(std::string(parsed.at("_meta").at("B").as_string()), wide)
      << "no character is cut in two";
  EXPECT_EQ(std::string(parsed.at("_meta").at("A\"\xEF\xBF\xBD").as_string()),
            "\"quote\"  caf\xC3\xA9");
}

TEST(status_document, too_many_rows_are_bounded) {
  std::vector<constant_row> rows;
  for (int i = 0; i < 1000; ++i) rows.push_back({"N" + std::to_string(i), "1", "d"});
  rows.push_back({"RateExp", "7", "late"});
  const auto made = read_constants(rows, now);
  EXPECT_EQ(made.made.meta.size(), meta_entries_max);
  EXPECT_EQ(made.complaints.size(), 1U);
  EXPECT_EQ(made.made.rate_exp, 7.0);
}

TEST(status_document, survives_being_written_and_read) {
  auto made = read_constants({{"RateExp", "2.5", "x"}, {"CLIENT_STATUS", "1e300", ""}}, now).made;
  observation game;
  game.is_online = true;
  game.info = {3, 32, "de_dust2", "Dust", "1.0"};
  game.latency_ms = 1.25;
  game.observed_at = game.checked_at = now;
  made.game = game;
  const auto text = to_json(made);
  EXPECT_THAT(
      text,
      HasSubstr(R"("online":true,"players":3,"max_players":32,"map":"de_dust2","name":"Dust",)"
                R"("version":"1.0","latency_ms":1.25,"observed_at":"2026-11-21T04:06:11.028Z",)"
                R"("checked_at":"2026-11-21T04:06:11.028Z","changed_at":null)"));
  EXPECT_EQ(to_json(parse_document(text).value()), text);
}

TEST(status_document, reads_what_others_wrote) {
  const auto d =
      parse_document(
          R"({"rates":{"exp":3,"pvp":"x"},"client_status":null,"_meta":[],"updated_at":5})")
          .value();
  EXPECT_EQ(d.rate_exp, 3.0);
  EXPECT_EQ(d.rate_pvp, 1.0);
  EXPECT_EQ(d.client_status, 256.0);
  EXPECT_FALSE(d.game);
  for (const auto* bad : {"", "{", "[]", "null", "nonsense"})
    EXPECT_FALSE(parse_document(bad)) << bad;

  std::string name = "name";
  for (int i = 0; i < 100; ++i) name += "\xE2\x82\xAC\x7F";
  const auto cut = parse_document(R"({"_meta":{")" + name + R"(":"x"}})").value();
  EXPECT_EQ(cut.meta.begin()->first.size(), 64U);
  EXPECT_EQ(to_json(parse_document(to_json(cut)).value()), to_json(cut));
}

TEST(status_document, reads_the_times_of_other_programs) {
  const auto read = [](const std::string& updated_at) {
    return parse_document(R"({"updated_at":)" + updated_at + "}").value().updated_at;
  };
  for (const auto* same : {R"("2026-11-21T04:06:11.028Z")", R"("2026-11-21T04:06:11.028")",
                           R"("2026-11-21T04:06:11.028123")", R"("2026-11-21 04:06:11.028")",
                           R"("2026-11-21T05:06:11.028+01:00")", "1795233971.028", "1795233971028",
                           "1795233971028000", R"("1795233971.028")"})
    EXPECT_EQ(read(same), now) << same;
  for (const auto* bad : {"null", "[]", "-5", R"("soon")", "1e300"})
    EXPECT_EQ(read(bad), timestamp{}) << bad;
  const auto other = parse_document(R"({"updated_at":1795233971})").value();
  EXPECT_EQ(other.scheduled_at, other.updated_at) << "who writes it is who refreshes";
  const auto filled = parse_document(R"({"updated_at":1795233971,"scheduled_at":null})").value();
  EXPECT_EQ(filled.scheduled_at, timestamp{});
}

TEST(status_document, etag_changes_with_the_content) {
  auto d = read_constants({}, now).made;
  const auto before = etag_of(d, false);
  EXPECT_EQ(etag_of(d, false), before);
  EXPECT_NE(etag_of(d, true), before);
  d.rate_exp = 2;
  EXPECT_NE(etag_of(d, false), before);
}

}  // namespace
}  // namespace skirmish::status
