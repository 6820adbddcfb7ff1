#include "interactions/event_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;

const http::principal a_server{http::role::server, "k"};
const timestamp now{std::chrono::milliseconds{1'795'230'371'028}};

// What the log gives back of an event.
json::object through_the_log(const char* text) {
  std::string line;
  append_line(line, decode_event(json::parse(text), a_server, now).value());
  EXPECT_TRUE(line.ends_with('\n'));
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line each";
  return parse_line(line).value();
}

TEST(event_text, every_event_comes_back_as_it_was) {
  const char* const cases[] = {
      R"({"type":"attack","attacker_id":"a","target_id":"b","damage":5,"ts":"2026-11-21T08:00:00.123Z"})",
      R"({"type":"attack","attacker_id":"a","target_id":"b","damage":5,"id":"x","weapon":"ak47","ts":"2026-11-21T08:00:00.000Z"})",
      R"({"type":"attack","attacker_id":"a","target_id":"b","damage":0,"weapon":"knife","ts":"1969-12-31T23:59:59.999Z"})",
      R"({"type":"move","player_id":"a","lat":-1.25E0,"lon":1.799999999E2,"alt":1.5E0,"ts":"2026-11-21T08:00:00.123Z"})",
      R"({"type":"attack","attacker_id":"a","target_id":"b","damage":5,"server":"duel","ts":"2026-11-21T08:00:00.123Z"})",
      R"({"type":"attack","attacker_id":"a","target_id":"b","damage":5,"id":"x","weapon":"ak47","server":"duel","ts":"2026-11-21T08:00:00.123Z"})",
      R"({"type":"move","player_id":"a","lat":1.5,"lon":2.5,"alt":3.5,"server":"duel","ts":"2026-11-21T08:00:00.123Z"})",
      R"({"type":"respawn","player_id":"a","hp":100})",
      R"({"type":"score","board":"kills","player_id":"a","value":-3,"operator":"best"})",
      R"({"type":"item","player_id":"a","item":"sword","quantity":-2})",
      R"({"type":"completion","level_id":"l","player_id":"a","score":7,"completion_id":"c"})",
      R"({"type":"trade","from":"a","to":"b","give":{"coin":1},"take":{"gem":2},"id":"t","ts":"2026-11-21T08:00:00.123Z"})",
      R"({"type":"chat","channel":"general","from":"a","text":"new\nline \"é\"","ts":"2026-11-21T08:00:00.123Z"})",
  };
  for (const auto* text : cases) EXPECT_EQ(through_the_log(text), json::parse(text)) << text;
}

TEST(event_text, what_is_no_line_is_nothing) {
  for (const auto* text : {"", "7", "[]", R"(["attack","a"])", "{", R"("attack")"})
    EXPECT_FALSE(parse_line(text)) << text;
}

}  // namespace
}  // namespace skirmish::interactions
