#include "ingest/quake3_log.hpp"

#include "ingest/describe_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::ingest {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

// Two named clients, in different teams.
constexpr std::string_view two =
    "  0:01 ClientUserinfoChanged: 2 n\\Ann\\t\\1\\model\\sarge\n"
    "  0:01 ClientUserinfoChanged: 3 n\\Dono da Bola\\t\\2\\model\\sarge\n";

std::vector<std::string> said(std::string_view text) {
  return said(format::quake3, fmt::format("{}{}", two, text));
}

TEST(quake3_log, players_are_seen_by_name) {
  const auto r = read_log(format::quake3, two);
  EXPECT_THAT(r.lines, ElementsAre("player Ann [Ann]", "respawn Ann 100",
                                   "player Dono_da_Bola.167a88bfa510b965 [Dono da Bola]",
                                   "respawn Dono_da_Bola.167a88bfa510b965 100"));
  EXPECT_EQ(r.counted, (totals{.lines = 2, .events = 2, .players = 2}));
}

TEST(quake3_log, names_become_ids) {
  const auto id = [](std::string_view name) {
    const auto r =
        read_log(format::quake3, fmt::format("  0:01 ClientUserinfoChanged: 2 n\\{}\\t\\0\n"
                                             "  0:02 Item: 2 item_quad\n",
                                             name));
    EXPECT_EQ(r.counted.items, 1U);
    return std::get<item>(r.events.back().what).player_id;
  };
  EXPECT_EQ(id("Chessus!"), "Chessus_.66b35ac033fe7423");
  EXPECT_EQ(id("Chessus_"), "Chessus_");
  EXPECT_NE(id("Chessus_.66b35ac033fe7423"), id("Chessus!"));
  EXPECT_EQ(id("^1Red^7Baron"), "RedBaron.21cdb594d5bff987");
  EXPECT_EQ(id("忍者"), "__.5a9c5e44d14122ce");
  EXPECT_EQ(id("\xE9t\xE9"), "_t_.b14ed7ac1430134c");
  EXPECT_EQ(id(""), "_.e3b0c44298fc1c14");
  EXPECT_EQ(id("<world>"), "_world_.6f4bf6b30634079b");
}

TEST(quake3_log, a_kill_is_an_attack_and_a_point) {
  EXPECT_THAT(said("  1:00 Kill: 2 3 7: Ann killed Dono da Bola by MOD_ROCKET_SPLASH\n"),
              ElementsAre("attack Ann Dono_da_Bola.167a88bfa510b965 100 MOD_ROCKET_SPLASH -> 0",
                          "score kills Ann +1"));
}

TEST(quake3_log, every_kill_is_a_death) {
  const std::string kill = "  1:00 Kill: 2 3 10: Ann killed Dono da Bola by MOD_RAILGUN\n";
  EXPECT_THAT(
      said(kill + kill + "  1:01 Kill: 1022 3 22: <world> killed Dono da Bola by MOD_LAVA\n"),
      ElementsAre("attack Ann Dono_da_Bola.167a88bfa510b965 100 MOD_RAILGUN -> 0",
                  "score kills Ann +1", "respawn Dono_da_Bola.167a88bfa510b965 100",
                  "attack Ann Dono_da_Bola.167a88bfa510b965 100 MOD_RAILGUN -> 0",
                  "score kills Ann +1", "respawn Dono_da_Bola.167a88bfa510b965 100",
                  "respawn Dono_da_Bola.167a88bfa510b965 0"));
  EXPECT_THAT(said(kill + "  1:01 ClientBegin: 3\n" + kill),
              ElementsAre("attack Ann Dono_da_Bola.167a88bfa510b965 100 MOD_RAILGUN -> 0",
                          "score kills Ann +1", "respawn Dono_da_Bola.167a88bfa510b965 100",
                          "attack Ann Dono_da_Bola.167a88bfa510b965 100 MOD_RAILGUN -> 0",
                          "score kills Ann +1"));
}

TEST(quake3_log, the_world_kills_without_an_attack_and_a_suicide_without_a_point) {
  EXPECT_THAT(said("  1:00 Kill: 1022 2 22: <world> killed Ann by MOD_TRIGGER_HURT\n"),
              ElementsAre("respawn Ann 0"));
  EXPECT_THAT(said("  1:00 Kill: 2 2 7: Ann killed Ann by MOD_ROCKET_SPLASH\n"),
              ElementsAre("attack Ann Ann 100 MOD_ROCKET_SPLASH -> 0"));
  const auto r = read_log(
      format::quake3, fmt::format("{}{}{}", two, "  1:00 Kill: 2 2 7: Ann killed Ann by MOD_X\n",
                                  "  1:00 Kill: 1022 2 22: <world> killed Ann by MOD_Y\n"));
  EXPECT_EQ(r.counted.kills, 0U);
  EXPECT_EQ(r.counted.attacks, 1U);
  EXPECT_EQ(r.counted.damage, 100U);
}

TEST(quake3_log, the_number_says_who_it_is_whatever_the_line_calls_it) {
  EXPECT_THAT(said("  1:00 ClientUserinfoChanged: 3 n\\Ann killed B\\t\\0\n"
                   "  1:01 Kill: 3 2 7: Ann killed B killed Ann by MOD_GAUNTLET\n"),
              ElementsAre("attack Ann_killed_B.f68c012f8d1332db Ann 100 MOD_GAUNTLET -> 0",
                          "score kills Ann_killed_B.f68c012f8d1332db +1"));
}

TEST(quake3_log, clients_that_were_never_named) {
  EXPECT_THAT(said("  1:00 Kill: 8 9 7: Old Hand killed New by MOD_BFG\n"),
              ElementsAre("attack Old_Hand.f18a99d2140b8685 New 100 MOD_BFG -> 0",
                          "score kills Old_Hand.f18a99d2140b8685 +1"));
  EXPECT_THAT(said("  1:00 Kill: 8 9 7: <world> killed New by MOD_BFG\n"),
              ElementsAre("respawn New 0"));
  const auto r = read_log(format::quake3, "  1:00 Item: 8 item_quad\n  1:00 ClientBegin: 8\n");
  EXPECT_EQ(r.counted, (totals{.lines = 2, .unknown_lines = 2}));
}

TEST(quake3_log, levels_and_scores) {
  EXPECT_THAT(
      said(" 11:57 score: 20  ping: 4  client: 3 Dono da Bola\n"
           "  0:00 InitGame: \\sv_hostname\\mapname\\mapname\\q3dm17\\gamename\\baseq3\n"
           " 11:57 Exit: Fraglimit hit.\n"
           " 11:57 red:8  blue:6\n"
           " 11:57 score: 20  ping: 4  client: 3 Dono da Bola\n"
           " 11:57 score: -3  ping: 999  client: 2 Ann\n"
           " 11:57 score: 1  ping: 0  client: 40 Guest\n"
           "  0:00 InitGame: \\gamename\\baseq3\n"
           " 11:57 score: 20  ping: 4  client: 3 Dono da Bola\n"),
      ElementsAre("level q3dm17 [q3dm17]", "completion q3dm17 Dono_da_Bola.167a88bfa510b965 20",
                  "completion q3dm17 Ann -3", "completion q3dm17 Guest 1"));
}

TEST(quake3_log, chat) {
  EXPECT_THAT(said("  1:00 say: Ann: hi: there\n"
                   "  1:00 sayteam: Dono da Bola: go go\n"
                   "  1:00 sayteam: Ann: \n"
                   "  1:00 sayteam: Guest: hello\n"
                   "  1:00 ClientUserinfoChanged: 4 n\\Ann: x\\t\\3\n"
                   "  1:00 sayteam: Ann: x: y\n"
                   "  1:00 tell: Ann to Guest: psst\n"),
              ElementsAre("chat general Ann [hi: there]",
                          "chat team:blue Dono_da_Bola.167a88bfa510b965 [go go]",
                          "chat team:red Ann []", "chat team:free Guest [hello]",
                          "chat team:spectator Ann:_x.a4bbc66f002d9e69 [y]"));
}

TEST(quake3_log, time_starts_again_with_the_server) {
  const auto r = read_log(format::quake3,
                          " 20:34 ClientUserinfoChanged: 2 n\\Ann\\t\\0\n"
                          "  0:00 InitGame: \\mapname\\q3dm6\n"
                          "  0:10 Item: 2 item_quad\n"
                          "981:27 Item: 2 item_quad\n");
  ASSERT_EQ(r.events.size(), 5U);
  EXPECT_EQ(r.events[3].at, std::chrono::seconds{10});
  EXPECT_EQ(r.events[4].at, std::chrono::seconds{981 * 60 + 27});
}

TEST(quake3_log, one_broken_detail_does_not_lose_a_kill) {
  for (const auto* text :
       {"Kill: 2 3 7: Ann killed Dono da Bola", "Kill: 2 3 7: Ann killed Dono da Bola by ",
        "Kill: 2 3 7: Ann hugged", "Kill: 2 3 7:", "Kill: 2 3", "Kill: 2 3: Ann killed him by X",
        "Kill: 2 3 99999: Ann killed"}) {
    const auto r = read_log(format::quake3, fmt::format("{}  1:00 {}\n", two, text));
    EXPECT_EQ(r.counted.kills, 1U) << text;
    EXPECT_EQ(r.counted.lines_in_part, 1U) << text;
    EXPECT_EQ(r.counted.unknown_lines, 0U) << text;
  }
  EXPECT_THAT(said("  1:00 Kill: 8 9 7: Old killed New by \n"),
              ElementsAre("attack Old New 100  -> 0", "score kills Old +1"));
}

TEST(quake3_log, times_that_outgrew_the_seven_characters_of_the_engine) {
  const auto at = [](std::string_view time) {
    const auto r = read_log(format::quake3, fmt::format("{}{}Item: 2 item_quad\n", two, time));
    return r.counted.items == 1 ? r.events.back().at + 1s : -1s;
  };
  EXPECT_EQ(at("999:59 "), 999min + 59s);
  EXPECT_EQ(at("1000:00"), 1000min);
  EXPECT_EQ(at("1000:07 "), 1000min + 7s);
  EXPECT_EQ(at("10000:1"), 10000min + 10s);
  EXPECT_EQ(at("10000:12 "), 10000min + 12s);
  EXPECT_EQ(at("100000:"), 100000min);
  EXPECT_EQ(at("999:59"), -1s);
  EXPECT_EQ(at("1000:0"), -1s);
}

TEST(quake3_log, urban_terror_hits_and_numbers_of_speakers) {
  const std::string game = "  0:00 InitGame: \\mapname\\ut4_abbey\\gamename\\q3ut4\n";
  EXPECT_THAT(said("  1:00 Hit: 3 2 1 19: Ann hit Dono da Bola in the Helmet\n"),
              ElementsAre("attack Ann Dono_da_Bola.167a88bfa510b965 0 weapon_19 -> 100"));
  EXPECT_THAT(said("  1:00 say: 2 Ann: hi: there\n  1:00 sayteam: 3 Dono da Bola: go\n"
                   "  1:00 say: 2 Bob: hi\n"),
              ElementsAre("chat general Ann [hi: there]",
                          "chat team:blue Dono_da_Bola.167a88bfa510b965 [go]",
                          testing::StartsWith("chat general 2_Bob.")));
  const auto lines = said(game +
                          "  1:00 say: 2 Renamed: hi\n  1:00 say: 9 Guest: yo\n"
                          "  1:00 say: Ann: plain\n  1:00 saytell: 2 3 Ann: psst\n");
  EXPECT_THAT(lines, ElementsAre("level ut4_abbey [ut4_abbey]", "chat general Ann [hi]",
                                 "chat general Guest [yo]", "chat general Ann [plain]"));
  for (const auto* text : {"  1:00 Hit: 3 2 1", "  1:00 Hit: 3 1022 1 19: <world> hit A in the Leg",
                           "  1:00 Hit: 8 9 1 19"})
    EXPECT_EQ(read_log(format::quake3, fmt::format("{}{}", two, text)).counted.unknown_lines, 1U)
        << text;
}

TEST(quake3_log, lines_that_change_nothing_are_understood) {
  for (const auto* text :
       {"  0:00 ------------------------------------------------------------",
        " 20:37 ShutdownGame:", " 20:38 ClientConnect: 2", " 21:10 ClientDisconnect: 2",
        "981:27 Exit: Timelimit hit.", "  0:00 Warmup:", "", "   ", "1:00 red:8  blue:6"})
    EXPECT_EQ(read_log(format::quake3, text).counted.unknown_lines, 0U) << text;
}

TEST(quake3_log, broken_lines_do_nothing) {
  for (const auto* text : {"Kill: 2 3 7: A killed B by MOD_X",
                           " 1:0 ShutdownGame:",
                           " -1:00 ShutdownGame:",
                           "123456789:00 ShutdownGame:",
                           "  1:00ShutdownGame:",
                           "  1:00 Kill: 2 3 7: A hugged B by MOD_X",
                           "  1:00 Kill: 2 1022 7: A killed <world> by MOD_X",
                           "  1:00 Kill: 2 9999 7: A killed B by X",
                           "  1:00 Kill: -2 3 7: A killed B by MOD_X",
                           "  1:00 Item: 2",
                           "  1:00 Item: 2 ",
                           "  1:00 Item: x item_quad",
                           "  1:00 ClientBegin: 2x",
                           R"(  1:00 ClientUserinfoChanged: 2 t\0)",
                           R"(  1:00 ClientUserinfoChanged: 1022 n\A\t\0)",
                           "  1:00 score: 20  client: 2 A",
                           "  1:00 score: x  ping: 1  client: 2 A",
                           "  1:00 say: hello",
                           "  1:00 say: : hello",
                           "  1:00 Dance: 2 3",
                           "  1:00"}) {
    const auto r = read_log(format::quake3, text);
    EXPECT_EQ(r.counted, (totals{.lines = 1, .unknown_lines = 1})) << text;
    EXPECT_THAT(r.lines, IsEmpty()) << text;
  }
}

}  // namespace
}  // namespace skirmish::ingest
