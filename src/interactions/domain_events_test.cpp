#include "interactions/domain_events.hpp"

#include "interactions/batch.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

const http::principal a_server{http::role::server, "s"};
const timestamp now{std::chrono::milliseconds{1'700'000'000'000}};

result<event> decode(std::string_view text, const http::principal& who = a_server) {
  return decode_event(boost::json::parse(text), who, now);
}

TEST(game_events, are_read) {
  const auto t = decode(
      R"({"type":"trade","id":"x","from":"a","to":"b","give":{"sword":1},"take":{"gold":50}})");
  ASSERT_TRUE(t);
  const auto& what = std::get<trade>(*t);
  EXPECT_EQ(what.give, (goods{{"sword", 1}}));
  EXPECT_EQ(what.take, (goods{{"gold", 50}}));
  EXPECT_EQ(what.ts, now);
  const auto c = decode(R"({"type":"completion","level_id":"l","player_id":"p","score":-3})");
  ASSERT_TRUE(c);
  EXPECT_EQ(std::get<completion>(*c).score, -3);
  EXPECT_EQ(*level_of(*c), "l");
  const auto said = decode(R"({"type":"chat","channel":"team:ct","from":"p","text":""})");
  ASSERT_TRUE(said);
  EXPECT_EQ(std::get<chat>(*said).channel, "team:ct");
}

TEST(game_events, are_refused_when_they_have_a_wrong_form) {
  for (const auto* text : {
           R"({"type":"trade","from":"a","to":"a","give":{"x":1}})",
           R"({"type":"trade","from":"a","to":"b"})",
           R"({"type":"trade","from":"a","to":"b","give":{"x":0}})",
           R"({"type":"trade","from":"a","to":"b","give":{"x y":1}})",
           R"({"type":"trade","from":"a","to":"b","give":[1]})",
           R"({"type":"item","player_id":"p","item":"x"})",
           R"({"type":"item","player_id":"p","item":"x","quantity":1.5})",
           R"({"type":"completion","level_id":"l","player_id":"p"})",
           R"({"type":"completion","level_id":"l","player_id":"p","score":1,"more":1})",
           R"({"type":"chat","channel":"general","from":"p"})",
           R"({"type":"chat","channel":"activity","from":"p","text":"x"})",
           R"({"type":"chat","channel":"status","from":"p","text":"x"})",
           R"({"type":"chat","channel":"presence:general","from":"p","text":"x"})",
           R"({"type":"chat","channel":"notifications:p","from":"p","text":"x"})",
           R"({"type":"chat","channel":"unheard-of","from":"p","text":"x"})",
           R"({"type":"chat","channel":"general","from":"p","text":"\u202Eevil"})",
           R"({"type":"chat","channel":"general","from":"p","text":"\u0000"})",
       }) {
    const auto e = decode(text);
    ASSERT_FALSE(e) << text;
    EXPECT_EQ(e.error().code, errc::invalid_argument) << text;
  }
}

TEST(game_events, of_players_are_refused) {
  const http::principal a_player{http::role::player, "p"};
  for (const auto* text : {R"({"type":"trade","from":"p","to":"b","take":{"gold":1}})",
                           R"({"type":"item","player_id":"p","item":"x","quantity":1})",
                           R"({"type":"completion","level_id":"l","player_id":"p","score":1})",
                           R"({"type":"chat","channel":"general","from":"p","text":"x"})"}) {
    const auto e = decode(text, a_player);
    ASSERT_FALSE(e) << text;
    EXPECT_EQ(e.error().code, errc::forbidden) << text;
  }
}

TEST(domain_events, marks_the_last_thing_a_player_did) {
  const trade first{"", "a", "b", {{"x", 1}}, {}, now};
  domain_events all;
  all.add(first, "{}");
  all.add(first, "{}");
  all.add(item{"a", "x", 1});
  std::vector<std::string> out;
  all.append_to(out);
  const std::vector<std::string> expected{"3",  "trade", "",  "",      "a", "b",    "0", "{}", "1",
                                          "x",  "1",     "0", "trade", "",  "",     "a", "b",  "1",
                                          "{}", "1",     "x", "1",     "0", "item", "a", "x",  "1"};
  EXPECT_EQ(out, expected);
  all.acted("a");
  out.clear();
  all.append_to(out);
  EXPECT_EQ(out[17], "0");
}

TEST(domain_events, asks_for_each_level_once) {
  domain_events all;
  for (const auto* level : {"b", "a", "b"}) all.add(completion{"", level, "p", 1});
  EXPECT_EQ(all.levels(), (std::vector<std::string>{"a", "b"}));
}

TEST(domain_events, reads_verdicts_and_nothing_else) {
  const auto read = verdicts_of({"ok", "victim killer", "!2 seen", "!3 lacks a gold", "!11 muted"});
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(read[0].first, 2U);
  EXPECT_EQ(read[0].second.message, "");
  EXPECT_EQ(read[1].second.code, errc::conflict);
  EXPECT_NE(read[1].second.message.find("lacks a gold"), std::string::npos);
  EXPECT_EQ(read[2].first, 11U);
  EXPECT_EQ(read[2].second.code, errc::forbidden);
}

TEST(batch, takes_back_what_the_commit_did_not_apply) {
  outcome answer;
  frame f;
  f.events = {attack{"", "a", "b", 1, "", now}, trade{"t", "a", "b", {{"x", 1}}, {}, now},
              completion{"c", "l", "a", 1}};
  f.indices = {0, 1, 2};
  f.done = [&answer](outcome o) { answer = std::move(o); };
  std::vector<frame> frames;
  frames.push_back(std::move(f));
  batch b(std::move(frames));
  b.take_back(verdicts_of({"!1 lacks a x", "!2 seen"}));
  b.succeed();
  EXPECT_EQ(answer.accepted, 2U) << "the attack, and the completion that counted before";
  EXPECT_EQ(answer.repeated, 1U);
  ASSERT_EQ(answer.rejected.size(), 1U);
  EXPECT_EQ(answer.rejected[0].index, 1U);
}

}  // namespace
}  // namespace skirmish::interactions
