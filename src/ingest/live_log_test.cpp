// What the log of a live game server gives beside what every log gives: boards, and players who
// come and go.
#include "ingest/describe_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace skirmish::ingest {
namespace {

using ::testing::Contains;
using ::testing::Not;

const char* const match =
    R"(L 05/01/2024 - 20:00:00: Started map "de_dust2" (CRC "1")
L 05/01/2024 - 20:00:00: "Ann<2><STEAM_1:0:1><>" entered the game
L 05/01/2024 - 20:00:00: "Bob<3><STEAM_1:0:2><>" entered the game
L 05/01/2024 - 20:01:00: "Ann<2><STEAM_1:0:1><CT>" [1 2 3] attacked "Bob<3><STEAM_1:0:2><TERRORIST>" [4 5 6] with "ak47" (damage "100") (damage_armor "0") (health "0") (armor "0") (hitgroup "head")
L 05/01/2024 - 20:01:00: "Ann<2><STEAM_1:0:1><CT>" [1 2 3] killed "Bob<3><STEAM_1:0:2><TERRORIST>" [4 5 6] with "ak47" (headshot penetrated)
L 05/01/2024 - 20:02:00: "Ann<2><STEAM_1:0:1><CT>" [1 2 3] killed "Bob<3><STEAM_1:0:2><TERRORIST>" [4 5 6] with "awp"
L 05/01/2024 - 20:03:00: "Bob<3><STEAM_1:0:2><TERRORIST>" [1 2 3] killed "Ann<2><STEAM_1:0:1><CT>" [4 5 6] with "ak47"
L 05/01/2024 - 20:04:00: "Ann<2><STEAM_1:0:1><CT>" [1 2 3] committed suicide with "world"
L 05/01/2024 - 20:05:00: "Ann<2><STEAM_1:0:1><CT>" entered the game
L 05/01/2024 - 20:10:00: "Ann<2><STEAM_1:0:1><CT>" disconnected (reason "Disconnect")
)";

reading read_live(std::string_view text, format f = format::source) {
  const auto parser = make_parser(f, {geo_origin{}, "duel"});
  reading r;
  while (!text.empty()) text.remove_prefix(parser->feed(text, r.events));
  parser->finish(r.events);
  r.counted = parser->counted();
  for (const auto& e : r.events) r.lines.push_back(std::visit(describe{}, e.what));
  return r;
}

// Board and player to score, as a server would have them.
std::map<std::string, int> boards_of(const reading& r) {
  std::map<std::string, int> out;
  for (const auto& e : r.events) {
    const auto* s = std::get_if<score>(&e.what);
    if (!s) continue;
    auto& at = out[s->board + " " + s->player_id];
    at = s->keeps_best ? std::max(at, s->value) : at + s->value;
  }
  return out;
}

TEST(live_log, fills_the_boards_of_its_server) {
  const std::map<std::string, int> both{
      {"kills STEAM_1:0:1", 2},     {"kills STEAM_1:0:2", 1},     {"deaths STEAM_1:0:1", 2},
      {"deaths STEAM_1:0:2", 2},    {"headshots STEAM_1:0:1", 1}, {"streaks STEAM_1:0:1", 2},
      {"streaks STEAM_1:0:2", 1},   {"sessions STEAM_1:0:1", 1},  {"sessions STEAM_1:0:2", 1},
      {"playtime STEAM_1:0:1", 600}};
  auto expected = both;
  for (const auto& [board, value] : both) expected["server:duel:" + board] = value;
  expected["weapon:ak47 STEAM_1:0:1"] = 1;
  expected["weapon:awp STEAM_1:0:1"] = 1;
  expected["weapon:ak47 STEAM_1:0:2"] = 1;
  expected["map:de_dust2 STEAM_1:0:1"] = 2;
  expected["map:de_dust2 STEAM_1:0:2"] = 1;
  EXPECT_EQ(boards_of(read_live(match)), expected);
}

TEST(live_log, says_on_which_server_it_was) {
  int attacks = 0;
  for (const auto& e : read_live(match).events) {
    if (const auto* a = std::get_if<attack>(&e.what)) {
      EXPECT_EQ(a->server, "duel");
      ++attacks;
    }
    if (const auto* m = std::get_if<move>(&e.what)) {
      EXPECT_EQ(m->server, "duel");
    }
  }
  EXPECT_EQ(attacks, 1);
}

TEST(live_log, of_a_match_that_is_over_has_no_boards_but_kills) {
  for (const auto& e : read_log(format::source, match).events) {
    if (const auto* s = std::get_if<score>(&e.what)) {
      EXPECT_EQ(s->board, "kills");
    }
  }
}

TEST(live_log, forgets_who_has_left) {
  const auto lines =
      read_live(std::string(match) + "L 05/01/2024 - 20:11:00: World triggered \"Round_Start\"\n")
          .lines;
  const auto respawns = std::vector<std::string>(lines.end() - 3, lines.end());
  EXPECT_THAT(respawns, Contains("respawn STEAM_1:0:2 100"));
  EXPECT_THAT(respawns, Not(Contains("respawn STEAM_1:0:1 100")));
  // Who comes back is a new one.
  const auto again =
      read_live(std::string(match) +
                "L 05/01/2024 - 20:11:00: \"Ann<2><STEAM_1:0:1><CT>\" entered the game\n");
  EXPECT_EQ(boards_of(again)["sessions STEAM_1:0:1"], 2);
}

TEST(live_log, counts_no_time_in_which_nobody_was_heard_of) {
  const std::string text =
      "L 05/01/2024 - 20:00:00: \"Ann<2><STEAM_1:0:1><CT>\" entered the game\n"
      "L 05/01/2024 - 20:01:00: \"Ann<2><STEAM_1:0:1><CT>\" say \"bye\"\n"
      "L 05/02/2024 - 20:00:00: \"Ann<2><STEAM_1:0:1><CT>\" entered the game\n"
      "L 05/02/2024 - 20:02:00: \"Ann<2><STEAM_1:0:1><CT>\" disconnected\n";
  EXPECT_EQ(boards_of(read_live(text))["playtime STEAM_1:0:1"], 180);
}

TEST(live_log, keeps_few_players_however_many_come) {
  std::string text;
  for (std::size_t i = 0; i < recorder::live_players_limit + 500; ++i)
    text += fmt::format("L 05/01/2024 - 20:{:02}:{:02}: \"P<{}><STEAM_1:0:{}><CT>\" say \"hi\"\n",
                        i / 60 % 60, i % 60, i, i + 1);
  text += "L 05/01/2024 - 21:00:00: World triggered \"Round_Start\"\n";
  const auto r = read_live(text);
  std::size_t respawns = 0;
  for (auto at = r.lines.rbegin(); at != r.lines.rend() && !at->starts_with("chat "); ++at)
    if (at->starts_with("respawn ")) ++respawns;
  EXPECT_LE(respawns, recorder::live_players_limit);
  EXPECT_GE(respawns, recorder::live_players_limit - 2);
  EXPECT_EQ(r.counted.unknown_lines, 0U);
}

TEST(live_log, a_clone_goes_on_by_itself) {
  const auto parser = make_parser(format::source, {geo_origin{}, "duel"});
  std::vector<log_event> events;
  parser->feed("L 05/01/2024 - 20:00:00: \"Ann<2><STEAM_1:0:1><CT>\" say \"a\"\nL 05/01/2", events);
  const auto other = parser->clone();
  events.clear();
  other->feed("024 - 20:00:01: \"Ann<2><STEAM_1:0:1><CT>\" say \"b\"\n", events);
  ASSERT_EQ(events.size(), 1U) << "Ann is known, and the line was begun before";
  EXPECT_EQ(std::visit(describe{}, events[0].what),
            "chat general STEAM_1:0:1 [b] @2024-05-01T20:00:01.000Z");
  EXPECT_EQ(parser->counted().lines, 1U);
  EXPECT_EQ(other->counted().lines, 2U);
}

TEST(live_log, of_quake_has_weapons_and_deaths) {
  const auto boards =
      boards_of(read_live("  0:00 InitGame: \\mapname\\q3dm17\n"
                          "  0:01 ClientUserinfoChanged: 0 n\\Ann\\t\\0\n  0:01 ClientBegin: 0\n"
                          "  0:01 ClientUserinfoChanged: 1 n\\Bob\\t\\0\n  0:01 ClientBegin: 1\n"
                          "  0:09 Kill: 0 1 7: Ann killed Bob by MOD_ROCKET_SPLASH\n"
                          "  0:10 Kill: 1022 0 22: <world> killed Ann by MOD_TRIGGER_HURT\n"
                          "  0:30 ClientDisconnect: 0\n",
                          format::quake3));
  EXPECT_EQ(boards.at("weapon:MOD_ROCKET_SPLASH Ann"), 1);
  EXPECT_EQ(boards.at("map:q3dm17 Ann"), 1);
  EXPECT_EQ(boards.at("deaths Ann"), 1);
  EXPECT_EQ(boards.at("server:duel:deaths Bob"), 1);
  EXPECT_EQ(boards.at("playtime Ann"), 29);
  EXPECT_EQ(boards.at("sessions Bob"), 1);
}

TEST(server_names, keep_boards_of_servers_apart) {
  for (const auto* name : {"duel", "eu.1", "A-b_9"}) EXPECT_TRUE(is_server_name(name)) << name;
  for (const auto* name : {"", "a:kills", "a b", "x@y", "abcdefghijklmnopqrstuvwxyz0123456"})
    EXPECT_FALSE(is_server_name(name)) << name;
}

}  // namespace
}  // namespace skirmish::ingest
