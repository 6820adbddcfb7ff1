#include "ingest/source_log.hpp"

#include "ingest/describe_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::ingest {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view head = "L 11/12/2018 - 19:57:28: ";
constexpr std::string_view a = R"("Ann<2><STEAM_1:1:7><CT>")";
constexpr std::string_view b = R"("Bob<3><BOT><TERRORIST>")";
constexpr std::string_view when = " @2018-11-12T19:57:28.000Z";

std::string line(std::string_view body) { return fmt::format("{}{}\n", head, body); }

std::string hit(std::string_view attacker, std::string_view target, int damage, int health) {
  return line(fmt::format(R"({} attacked {} with "ak47" (damage "{}") (health "{}"))", attacker,
                          target, damage, health));
}

std::vector<std::string> said(std::string_view text) { return said(format::source, text); }

// Whether a single line is understood.
bool understood(std::string_view text) {
  return read_log(format::source, text).counted.unknown_lines == 0;
}

TEST(source_log, an_attack_moves_both_and_leaves_the_health_of_the_line) {
  const auto r = read_log(
      format::source,
      line(R"("Ann<2><STEAM_1:1:7><CT>" [0 0 0] attacked "Bob<3><BOT><TERRORIST>" [1000 -2000 100])"
           R"( with "hkp2000" (damage "32") (damage_armor "0") (health "68") (armor "0"))"
           R"( (hitgroup "left leg"))"));
  EXPECT_THAT(r.lines,
              ElementsAre("player STEAM_1:1:7 [Ann]", "respawn STEAM_1:1:7 100",
                          "player bot:Bob [Bob]", "respawn bot:Bob 100",
                          fmt::format("attack STEAM_1:1:7 bot:Bob 32 hkp2000 -> 68{}", when),
                          fmt::format("move STEAM_1:1:7 48.8566000 2.3522000 0.000{}", when),
                          fmt::format("move bot:Bob 48.8562574 2.3524596 1.905{}", when)));
  EXPECT_EQ(r.counted, (totals{.lines = 1,
                               .unknown_lines = 0,
                               .events = 5,
                               .attacks = 1,
                               .damage = 32,
                               .kills = 0,
                               .moves = 2,
                               .items = 0,
                               .chat = 0,
                               .levels = 0,
                               .players = 2}));
}

// What precedes an attack of `damage` that leaves `health` on a target with `hp`, 100 at first.
std::vector<std::string> correction(int hp, int damage, int health) {
  auto text = hit(a, b, 100 - hp, hp);
  auto lines = said(text + hit(a, b, damage, health));
  lines.erase(lines.begin());
  EXPECT_EQ(lines.back(),
            fmt::format("attack STEAM_1:1:7 bot:Bob {} ak47 -> {}{}", damage, health, when));
  lines.pop_back();
  return lines;
}

TEST(source_log, a_respawn_comes_first_only_when_the_attack_alone_would_end_elsewhere) {
  EXPECT_THAT(correction(60, 20, 40), IsEmpty());
  EXPECT_THAT(correction(60, 60, 0), IsEmpty());
  EXPECT_THAT(correction(60, 61, 0), IsEmpty()) << "overkill";
  EXPECT_THAT(correction(60, 0, 60), IsEmpty());
  EXPECT_THAT(correction(60, 20, 79), ElementsAre("respawn bot:Bob 99")) << "healed";
  EXPECT_THAT(correction(60, 20, 10), ElementsAre("respawn bot:Bob 30")) << "hurt unlogged";
  EXPECT_THAT(correction(60, 20, 0), ElementsAre("respawn bot:Bob 20")) << "killed by less";
  EXPECT_THAT(correction(60, 0, 0), ElementsAre("respawn bot:Bob 0"));
  EXPECT_THAT(correction(0, 30, 70), ElementsAre("respawn bot:Bob 100")) << "came back unlogged";
}

TEST(source_log, a_health_that_is_missing_or_negative) {
  const auto text = line(fmt::format(R"({} attacked {} with "crowbar" (damage "30"))", a, b));
  EXPECT_THAT(said(text + text + text + text),
              Contains(fmt::format("attack STEAM_1:1:7 bot:Bob 30 crowbar -> 0{}", when)));
  EXPECT_THAT(said(hit(a, b, 120, -20)),
              ElementsAre(fmt::format("attack STEAM_1:1:7 bot:Bob 120 ak47 -> 0{}", when)));
}

TEST(source_log, an_attack_on_oneself_is_an_attack) {
  const auto r = read_log(format::source, hit(a, a, 12, 88));
  EXPECT_EQ(r.counted.attacks, 1U);
  EXPECT_EQ(r.counted.players, 1U);
  EXPECT_EQ(r.lines.back(), fmt::format("attack STEAM_1:1:7 STEAM_1:1:7 12 ak47 -> 88{}", when));
}

TEST(source_log, a_kill_scores_and_moves_both) {
  EXPECT_THAT(said(line(R"("Ann<2><STEAM_1:1:7><CT>" [0 0 0] killed "Bob<3><BOT><TERRORIST>")"
                        R"( [0 0 -10] with "awp" (headshot penetrated))")),
              ElementsAre("score kills STEAM_1:1:7 +1",
                          fmt::format("move STEAM_1:1:7 48.8566000 2.3522000 0.000{}", when),
                          fmt::format("move bot:Bob 48.8566000 2.3522000 -0.191{}", when)));
  EXPECT_THAT(
      said(line(fmt::format(R"({} [1 2 3] killed other "chicken<99>" [4 5 6] with "awp")", a))),
      IsEmpty());
  EXPECT_THAT(said(line(fmt::format("{} [1 2 3] was killed by the bomb.", a))), IsEmpty());
  EXPECT_THAT(said(line(fmt::format(R"({} [1 2 3] committed suicide with "world")", a))),
              IsEmpty());
}

TEST(source_log, positions_of_games_that_write_them_as_properties) {
  EXPECT_THAT(said(line(fmt::format(R"({} killed {} with "scattergun" (attacker_position "0 0 0"))"
                                    R"( (victim_position "0 100.5 -2"))",
                                    a, b))),
              ElementsAre("score kills STEAM_1:1:7 +1",
                          fmt::format("move STEAM_1:1:7 48.8566000 2.3522000 0.000{}", when),
                          fmt::format("move bot:Bob 48.8566172 2.3522000 -0.038{}", when)));
}

TEST(source_log, items_come_and_go) {
  EXPECT_THAT(said(line(fmt::format(R"({} purchased "ak47")", a)) +
                   line(fmt::format(R"({} picked up "hegrenade")", a)) +
                   line(fmt::format(R"({} picked up item "medkit small")", a)) +
                   line(fmt::format(R"({} dropped "knife")", a))),
              ElementsAre("item STEAM_1:1:7 ak47 +1", "item STEAM_1:1:7 hegrenade +1",
                          "item STEAM_1:1:7 medkit_small.dbdff459a9d7744d +1",
                          "item STEAM_1:1:7 knife -1"));
  EXPECT_FALSE(understood(line(fmt::format(R"({} purchased "")", a))));
}

TEST(source_log, chat) {
  const auto chat = [](std::string_view who, std::string_view rest) {
    const auto lines = said(fmt::format("{}{} {}\n", head, who, rest));
    return lines.size() == 1 ? lines[0].substr(0, lines[0].find(" @")) : "not one event";
  };
  EXPECT_EQ(chat(a, R"(say "how are yöü")"), "chat general STEAM_1:1:7 [how are yöü]");
  EXPECT_EQ(chat(a, R"(say "")"), "chat general STEAM_1:1:7 []");
  EXPECT_EQ(chat(a, R"(say "say "hi"")"), R"(chat general STEAM_1:1:7 [say "hi"])");
  EXPECT_EQ(chat(a, R"(say "gg" (dead))"), "chat general STEAM_1:1:7 [gg]");
  EXPECT_EQ(chat(a, R"(say_team "rush b")"), "chat team:CT STEAM_1:1:7 [rush b]");
  EXPECT_EQ(chat(b, R"(say_team "no")"), "chat team:TERRORIST bot:Bob [no]");
  EXPECT_EQ(chat(R"("Eve<4><[U:1:9]><>")", R"(say_team "?")"), "chat team:none _U:1:9_ [?]");
  EXPECT_EQ(chat(a, "say \"\xFF\x01\xE2\x82!\""), "chat general STEAM_1:1:7 [\uFFFD\uFFFD\uFFFD!]");
  EXPECT_EQ(chat(a, R"(say "B<3><BOT><CT>" [1 2 3] killed "C<4><BOT><CT>" [1 2 3] with "awp"")"),
            R"(chat general STEAM_1:1:7 [B<3><BOT><CT>" [1 2 3] killed "C<4><BOT><CT>" [1 2 3])"
            R"( with "awp"])");
}

TEST(source_log, the_console_talks_but_does_not_play) {
  const auto r =
      read_log(format::source, line(R"("Console<0><Console><Console>" say "restart in 5")"));
  EXPECT_THAT(r.lines, ElementsAre(fmt::format("chat general Console [restart in 5]{}", when)));
  EXPECT_EQ(r.counted.players, 0U);
  EXPECT_EQ(read_log(format::source, line(R"("Joe<5><STEAM_ID_PENDING><>" connected, address "")"))
                .counted.players,
            0U);
}

TEST(source_log, a_round_starts_with_everybody_at_full_hp) {
  const auto round = line(R"(World triggered "Round_Start")");
  EXPECT_THAT(said(round + hit(a, b, 90, 10) + round),
              ElementsAre(fmt::format("attack STEAM_1:1:7 bot:Bob 90 ak47 -> 10{}", when),
                          "respawn STEAM_1:1:7 100", "respawn bot:Bob 100"));
  EXPECT_THAT(said(hit(a, b, 90, 10) + round + hit(a, b, 20, 80)),
              Contains(fmt::format("attack STEAM_1:1:7 bot:Bob 20 ak47 -> 80{}", when)))
      << "no correction after a round's start";
}

TEST(source_log, levels_and_the_end_of_a_match) {
  const auto kill = line(fmt::format(R"({} killed {} with "awp")", a, b));
  const auto over = line("Game Over: competitive mg_de_cache de_cache score 16:1 after 21 min");
  EXPECT_THAT(said(kill + kill + over + over),
              ElementsAre("score kills STEAM_1:1:7 +1", "score kills STEAM_1:1:7 +1",
                          "level de_cache [de_cache]", "completion de_cache STEAM_1:1:7 2",
                          "completion de_cache bot:Bob 0", "completion de_cache STEAM_1:1:7 0",
                          "completion de_cache bot:Bob 0"));
  const auto r =
      read_log(format::source, line(R"(Loading map "workshop/125/de_é")") +
                                   line(R"(Started map "workshop/125/de_é" (CRC "-1"))") +
                                   line(R"(World triggered "Match_Start" on "de_nuke")") +
                                   line("Game Over: casual  cs_office score 1:0 after 3 min"));
  EXPECT_THAT(r.lines, ElementsAre("level workshop_125_de__.511ec53961524168 [workshop/125/de_é]",
                                   "level de_nuke [de_nuke]", "level cs_office [cs_office]"));
  EXPECT_EQ(r.counted.levels, 3U);
  EXPECT_THAT(said(line(R"(World triggered "Match_Start" on "pl_upward")") + kill +
                   line(R"(World triggered "Game_Over" reason "Reached Win Limit")")),
              Contains("completion pl_upward STEAM_1:1:7 1"));
  EXPECT_EQ(said(kill + line(R"(World triggered "Game_Over" reason "x")")).size(), 1U)
      << "no completion without a level";
}

struct identity {
  const char* name;
  std::string_view token;
  std::string_view id;
};

class source_players : public testing::TestWithParam<identity> {};

TEST_P(source_players, have_an_id) {
  const auto r =
      read_log(format::source, fmt::format("{}{} purchased \"ak47\"\n", head, GetParam().token));
  EXPECT_EQ(r.counted.items, 1U);
  EXPECT_EQ(r.lines.back(), fmt::format("item {} ak47 +1", GetParam().id));
}

INSTANTIATE_TEST_SUITE_P(
    forms, source_players,
    testing::Values(
        identity{"steam2", R"("A<2><STEAM_0:1:5><CT>")", "STEAM_0:1:5"},
        identity{"steam3", R"("A<2><[U:1:523]><Red>")", "_U:1:523_"},
        identity{"no_team", R"("A<2><STEAM_0:1:5>")", "STEAM_0:1:5"},
        identity{"bot", R"("Mr. Dot-Dash_9:x<2><BOT><>")", "bot:Mr._Dot-Dash_9:x.09342822cefce085"},
        identity{"unicode_bot", R"("Дима 😀é<2><BOT><CT>")", "bot:_______.8cddb8cf6534685e"},
        identity{"empty_bot", R"("<2><BOT><CT>")", "bot:"},
        identity{"quotes", R"("say "hi"<2><BOT><CT>")", "bot:say__hi_.cb52b04f35a3d317"},
        identity{"brackets", R"("<b>x</b><2><BOT><CT>")", "bot:_b_x__b_.28e7740b49e2fb01"},
        identity{"looks_like_a_tail", R"("<7><BOT><CT><2><BOT><CT>")",
                 "bot:_7__BOT__CT_.d3f3eef3d6ffecb1"},
        identity{"negative_number", R"("HLTV<-1><BOT><>")", "bot:HLTV"},
        identity{"not_utf8", "\"a\xC3(\xE2\x82z\xF0\x9F<2><BOT><CT>\"",
                 "bot:a___z_.9b4bf7fa40e138b8"},
        identity{
            "long",
            R"("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa<2><BOT><CT>")",
            "bot:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bdccda2c66334ae5"}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(source_log, heads_of_lines) {
  const auto ts = [](std::string_view start) {
    const auto lines = said(fmt::format("{}{} say \"x\"", start, a));
    return lines.empty() ? "" : lines[0].substr(lines[0].find('@') + 1);
  };
  EXPECT_EQ(ts("L 11/12/2018 - 19:57:28: "), "2018-11-12T19:57:28.000Z");
  EXPECT_EQ(ts("11/12/2018 - 19:57:28: "), "2018-11-12T19:57:28.000Z");
  EXPECT_EQ(ts("11/12/2018 - 19:57:28.123 - "), "2018-11-12T19:57:28.123Z");
  EXPECT_EQ(ts("L 02/29/2024 - 00:00:00.999: "), "2024-02-29T00:00:00.999Z");
  for (const auto* bad :
       {"L 02/29/2023 - 00:00:00: ", "L 13/01/2023 - 00:00:00: ", "L 00/01/2023 - 00:00:00: ",
        "L 01/01/0000 - 00:00:00: ", "L 01/01/2023 - 24:00:00: ", "L 01/01/2023 - 00:60:00: ",
        "L 1/1/2023 - 00:00:00: ", "L 01/01/2023 00:00:00: ", "L 01/01/2023 - 00:00:00",
        "L 01/01/2023 - 00:00:00.1: ", "L  01/01/2023 - 00:00:00: ", ""})
    EXPECT_EQ(ts(bad), "") << bad;
}

TEST(source_log, time_goes_on_from_the_first_line_and_never_back) {
  const auto r = read_log(format::source, R"(L 01/01/2023 - 10:00:00: Log file started
L 01/01/2023 - 10:00:05: "A<2><BOT><CT>" say "1"
L 01/01/2023 - 09:00:00: "A<2><BOT><CT>" say "2"
L 01/01/2023 - 09:00:02: "A<2><BOT><CT>" say "3")");
  ASSERT_EQ(r.events.size(), 5U);
  EXPECT_EQ(r.events[2].at, std::chrono::seconds{5});
  EXPECT_EQ(r.events[3].at, std::chrono::seconds{5});
  EXPECT_EQ(r.events[4].at, std::chrono::seconds{7});
}

TEST(source_log, lines_that_change_nothing_are_understood) {
  for (const auto* body :
       {R"(World triggered "Round_End")", R"(Team "CT" scored "1" with "5" players)",
        R"("mp_freezetime" = "15")", R"(server_cvar: "mp_roundtime" "2")", "Log file closed",
        R"("A<2><BOT><CT>" money change 800-650 = $150 (tracked) (purchase: weapon_p250))",
        R"("A<2><BOT><CT>" triggered "Planted_The_Bomb")",
        R"("A<2><BOT>" switched from team <CT> to <Unassigned>)",
        R"("A<2><BOT><CT>" disconnected (reason "Kicked by Console"))",
        R"("A<2><BOT><CT>" blinded for 3.1 by "B<3><BOT><CT>" from flashbang entindex 9 )",
        R"("A<2><BOT><CT>" threw hegrenade [1 2 3])", ""})
    EXPECT_TRUE(understood(line(body))) << body;
}

TEST(source_log, one_broken_detail_does_not_lose_an_attack) {
  for (const std::string_view tail :
       {R"( with "ak47" (damage "5") (health "9)", R"( with "ak47" (damage "5") (health "x"))",
        R"( with "ak47" (damage "5") and more)", R"( with "ak47" (damage "5") at (1.0, 2.0, 3.0))",
        R"( [nan 2 3] with "ak47" (damage "5"))", R"( [1 2] with "ak47" (damage "5"))",
        R"( from afar with "ak47" (damage "5"))", R"( at home with "ak47" (damage "5"))"}) {
    const auto r = read_log(format::source, line(fmt::format("{} attacked {}{}", a, b, tail)));
    EXPECT_EQ(r.counted.unknown_lines, 0U) << tail;
    EXPECT_EQ(r.counted.lines_in_part, 1U) << tail;
    EXPECT_THAT(r.lines, Contains(fmt::format("attack STEAM_1:1:7 bot:Bob 5 ak47 -> 95{}", when)))
        << tail;
  }
}

TEST(source_log, one_broken_detail_does_not_lose_a_kill) {
  for (const std::string_view tail :
       {R"( with "ak47)", R"( with)", R"( with "ak47" (headshot)", R"( with "ak47" headshot)",
        R"( [1 2 with "ak47")", R"( with "ak47" at (1.0, 2.0, 3.0))", " (headshot) ???"}) {
    const auto r = read_log(format::source, line(fmt::format("{} killed {}{}", a, b, tail)));
    EXPECT_EQ(r.counted,
              (totals{.lines = 1, .lines_in_part = 1, .events = 3, .kills = 1, .players = 2}))
        << tail;
  }
  const auto r = read_log(format::source, line(fmt::format("{} killed {}", a, b)));
  EXPECT_EQ(r.counted.kills, 1U);
  EXPECT_EQ(r.counted.lines_in_part, 0U) << "nothing was skipped";
}

TEST(source_log, a_prefix_is_ignored_and_counted) {
  for (const std::string_view prefix : {"(DEATH)", "[TTT] ", "(DEATH) ", "[v1.2 stats]"}) {
    const auto r =
        read_log(format::source, line(fmt::format(R"({}{} killed {} with "awp")", prefix, a, b)));
    EXPECT_EQ(r.counted.kills, 1U) << prefix;
    EXPECT_EQ(r.counted.lines_in_part, 1U) << prefix;
  }
  for (const std::string_view prefix : {"DEATH ", "(\"", "(a\"b)", "x"})
    EXPECT_FALSE(understood(line(fmt::format(R"({}{} killed {} with "awp")", prefix, a, b))))
        << prefix;
}

TEST(source_log, chat_never_kills_whatever_it_looks_like) {
  for (const std::string_view said_text :
       {R"("A<2><BOT><CT>" killed "B<3><BOT><CT>" with "awp")",
        R"x((DEATH)"A<2><BOT><CT>" killed "B<3><BOT><CT>")x",
        R"(" killed "B<3><BOT><CT>" with "awp)", R"(JSON_BEGIN{)"}) {
    const auto r = read_log(format::source,
                            line(fmt::format(R"({} say "{}")", a, said_text)) +
                                line(fmt::format(R"x({} say_team "{}" (dead))x", a, said_text)));
    EXPECT_EQ(r.counted.kills, 0U) << said_text;
    EXPECT_EQ(r.counted.chat, 2U) << said_text;
  }
}

TEST(source_log, a_name_that_looks_like_a_player_is_a_name) {
  // The player 5 calls himself like the player 2 of this log.
  const auto r = read_log(
      format::source,
      line(R"("Ann<2><STEAM_1:1:7><CT><5><STEAM_0:0:9><TERRORIST>" killed "Bob<3><BOT><CT>")"));
  EXPECT_THAT(r.lines, Contains("score kills STEAM_0:0:9 +1"));
  EXPECT_THAT(
      said(line(R"("<-7><[U:1:1]><x>Eve<4><STEAM_0:0:8><Survivor><Nick><ALIVE><100+0>)"
                R"(<setpos_exact 1 2 3; setang 1 2 3><Area 4>" killed "Bob<3><BOT><>" with "x")")),
      Contains("score kills STEAM_0:0:8 +1"));
}

TEST(source_log, lines_as_the_servers_send_them_over_udp) {
  const auto body = fmt::format(R"(11/12/2018 - 19:57:28: {} killed {} with "awp")", a, b);
  for (const std::string_view start : {"\xFF\xFF\xFF\xFFRL ", "\xFF\xFF\xFF\xFFlog L ", "RL "})
    EXPECT_EQ(read_log(format::source, fmt::format("{}{}\n", start, body)).counted.kills, 1U);
}

TEST(source_log, ids_that_identify_nobody_do_not_make_one_player_of_many) {
  for (const std::string_view id :
       {"STEAM_ID_LAN", "STEAM_ID_PENDING", "UNKNOWN", "VALVE_ID_LAN", "VALVE_ID_PENDING",
        "STEAM_ID_LOOPBACK", "HLTV", "STEAM_0:0:0", "STEAM_1:0:0", "[U:1:0]", "[I:0:0]", "0", "",
        "loopback", "STEAM_666:88:666", "4294967295", "76561197960265728", "-1"}) {
    const auto r = read_log(
        format::source,
        line(fmt::format(R"("Ann<2><{0}><CT>" killed "Bob<3><{0}><TERRORIST>" with "awp")", id)) +
            line(fmt::format(R"("Bob<3><{0}><TERRORIST>" killed "Ann<2><{0}><CT>")", id)));
    EXPECT_EQ(r.counted.players, 2U) << id;
    EXPECT_THAT(r.lines, Contains("score kills name:Ann +1")) << id;
    EXPECT_THAT(r.lines, Contains("score kills name:Bob +1")) << id;
  }
  for (const std::string_view id : {"STEAM_0:1:0", "STEAM_0:0:1", "[U:1:1]", "1234567"})
    EXPECT_NE(said(line(fmt::format(R"("Ann<2><{}><CT>" purchased "awp")", id))).back(),
              "item name:Ann awp +1")
        << id;
}

TEST(source_log, the_world_kills_for_nobody) {
  const auto r = read_log(format::source,
                          line(fmt::format(R"x((DEATH)"<-1><><><><>" killed {} with "x")x", a)) +
                              line(fmt::format(R"("World<0><><>" killed {} with "x")", a)));
  EXPECT_EQ(r.counted, (totals{.lines = 2, .lines_in_part = 1, .events = 1, .players = 1}));
}

TEST(source_log, a_json_block_ends_with_the_first_line_that_is_none_of_its_own) {
  const auto kill = line(fmt::format(R"({} killed {})", a, b));
  const auto r =
      read_log(format::source,
               line("JSON_BEGIN{") + line(R"("name": "round_stats",)") + line(R"("players" : {)") +
                   kill + line(R"("player_1" : "  1002,  2")") + line("}}JSON_END") + kill);
  EXPECT_EQ(r.counted.kills, 2U);
  EXPECT_EQ(r.counted.unknown_lines, 0U);
}

TEST(source_log, a_spawn_gives_full_hp) {
  EXPECT_THAT(said(hit(a, b, 90, 10) + line(fmt::format(R"({} spawned as "Medic")", b))),
              ElementsAre(fmt::format("attack STEAM_1:1:7 bot:Bob 90 ak47 -> 10{}", when),
                          "respawn bot:Bob 100"));
}

TEST(source_log, broken_lines_do_nothing) {
  const auto good = line(R"("A<2><BOT><CT>" [1 2 3] attacked "B<3><BOT><CT>" [4 5 6] with "ak47")"
                         R"( (damage "5") (health "9"))");
  ASSERT_TRUE(understood(good));
  for (const std::string_view body :
       {R"("A<2><BOT><CT>" attacked "B<3><BOT><CT>" with "ak47" (damage "-5") (health "9"))",
        R"("A<2><BOT><CT>" attacked "B<3><BOT><CT>" with "ak47" (damage "5.5") (health "9"))",
        R"("A<2><BOT><CT>" attacked "B<3><BOT><CT>" with "ak47" (damage "99999999999999999999"))",
        R"("A<2><BOT><CT>" attacked "B<3><BOT><CT>" with "ak47" (health "9"))",
        R"("A<2><BOT><CT>" attacked "B<3><BOT>)", R"("A<2><BOT><CT>" attacked World with "x")",
        R"("A<2><BOT><CT>" killed "Console<0><Console><Console>" with "ak47")",
        R"("A<2><BOT><CT>" did nothing)", R"("A<2><BOT><CT>" say "no end)", R"("A<2><BOT><CT>")",
        R"("A<two><BOT><CT>" dropped "x")", R"(World triggered "Round_Start)",
        R"(World triggered "Match_Start" on "de_)", R"(Game Over: competitive)",
        R"(Loading map "de_x)", "what is this"}) {
    const auto r = read_log(format::source, line(body));
    EXPECT_EQ(r.counted, (totals{.lines = 1, .unknown_lines = 1})) << body;
    EXPECT_THAT(r.lines, IsEmpty()) << body;
  }
}

}  // namespace
}  // namespace skirmish::ingest
