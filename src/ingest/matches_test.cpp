// Whole matches: what a server holds after the events of a file equals what
// tests/support/match_totals.py, which shares nothing with the parser, computed for it
// (tests/data/README.md says how to make the JSON files again).
#include "ingest/describe_test.hpp"
#include "ingest/frames.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

namespace skirmish::ingest {
namespace {

namespace json = boost::json;

std::string read_file(const std::string& name) {
  std::ifstream in(std::string(TEST_DATA_DIR "/") + name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Applies events as the server does.
struct world {
  std::map<std::string, int> hp;
  std::map<std::string, std::int64_t> damage, kills, activity, messages;
  std::map<std::string, std::map<std::string, int>> inventory;
  std::map<std::string, json::value> attacks, position;
  json::array players, levels, completions;
  int wrong_healths = 0;

  void operator()(const player_seen& e) {
    EXPECT_TRUE(hp.emplace(e.player_id, 100).second) << e.player_id;
    players.emplace_back(e.player_id);
  }
  void operator()(const level_seen& e) { levels.emplace_back(e.level_id); }
  void operator()(const attack& e) {
    auto& target = hp.at(e.target_id);
    target = std::max(0, target - e.damage);
    wrong_healths += target != e.health_after ? 1 : 0;
    damage[e.attacker_id] += e.damage;
    ++activity[e.attacker_id];
    attacks[e.attacker_id + " " + e.target_id] = {
        {"damage", e.damage},
        {"weapon", e.weapon},
        {"ts", e.ts ? json::value(to_rfc3339(*e.ts)) : json::value(nullptr)}};
  }
  void operator()(const move& e) {
    ++activity[e.player_id];
    position[e.player_id] = {e.lat, e.lon, e.alt};
  }
  void operator()(const respawn& e) { hp.at(e.player_id) = e.hp; }
  void operator()(const score& e) {
    EXPECT_EQ(e.board, "kills");
    kills[e.player_id] += e.value;
  }
  void operator()(const item& e) {
    auto& held = inventory[e.player_id][e.item];
    held = std::max(0, held + e.quantity);
  }
  void operator()(const completion& e) {
    completions.push_back({e.level_id, e.player_id, e.score});
  }
  void operator()(const chat& e) { ++messages[e.channel]; }

  json::object inventories() const {
    json::object all;
    for (const auto& [player, items] : inventory)
      for (const auto& [name, quantity] : items)
        if (quantity > 0)
          all[player].is_object() ? all[player].as_object()[name] = quantity
                                  : all[player] = {{name, quantity}};
    return all;
  }
};

json::object to_json(const totals& t) {
  return {{"lines", t.lines},
          {"events", t.events},
          {"unknown_lines", t.unknown_lines},
          {"attacks", t.attacks},
          {"damage", t.damage},
          {"kills", t.kills},
          {"moves", t.moves},
          {"items", t.items},
          {"chat", t.chat},
          {"lines_in_part", t.lines_in_part},
          {"levels", t.levels},
          {"players", t.players}};
}

struct match {
  std::string file;
  format form;
};

class matches : public testing::TestWithParam<match> {
 protected:
  std::string content_ = read_file(GetParam().file + ".log");

  // The events of the file when it arrives in chunks of this size.
  std::vector<log_event> events(std::size_t chunk_bytes, totals& counted) const {
    const auto parser = make_parser(GetParam().form, geo_origin{});
    std::vector<log_event> all;
    for (std::size_t pos = 0; pos < content_.size();)
      pos += parser->feed(std::string_view(content_).substr(pos, chunk_bytes), all);
    parser->finish(all);
    counted = parser->counted();
    return all;
  }
};

TEST_P(matches, equal_what_the_independent_script_says) {
  ASSERT_FALSE(content_.empty());
  const auto expected = json::parse(read_file(GetParam().file + ".json")).as_object();
  totals counted;
  world w;
  std::uint64_t sent = 0;
  for (const auto& e : events(4096, counted)) {
    std::visit(w, e.what);
    sent += is_stream_event(e.what) ? 1 : 0;
  }
  EXPECT_EQ(sent, counted.events);
  EXPECT_EQ(w.wrong_healths, 0);
  EXPECT_EQ(json::value(to_json(counted)), expected.at("totals"));
  EXPECT_EQ(json::value(w.players), expected.at("players"));
  EXPECT_EQ(json::value(w.levels), expected.at("levels"));
  EXPECT_EQ(json::value_from(w.damage), expected.at("damage"));
  EXPECT_EQ(json::value_from(w.kills), expected.at("kills"));
  EXPECT_EQ(json::value_from(w.hp), expected.at("hp"));
  EXPECT_EQ(json::value_from(w.attacks), expected.at("attacks"));
  EXPECT_EQ(json::value_from(w.activity), expected.at("activity"));
  EXPECT_EQ(json::value(w.inventories()), expected.at("inventory"));
  EXPECT_EQ(json::value_from(w.messages), expected.at("chat"));
  EXPECT_EQ(json::value(w.completions), expected.at("completions"));

  const auto& places = expected.at("position").as_object();
  ASSERT_EQ(w.position.size(), places.size());
  for (const auto& [player, place] : w.position)
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_NEAR(place.at(i).to_number<double>(), places.at(player).at(i).to_number<double>(),
                  i < 2 ? 1.5e-7 : 1.5e-3)
          << player;
}

// What a frame says, as one text.
std::string print(const frame& f) {
  auto text = fmt::format("{} {} {} {}", f.seq, f.at.count(), f.players.size(), f.levels.size());
  for (const auto& e : f.events) text += "\n" + std::visit(describe{}, e);
  return text;
}

TEST_P(matches, give_the_same_frames_however_the_file_arrives) {
  const frame_limits limits{.events = 40, .span = std::chrono::seconds{5}};
  std::vector<std::string> first;
  for (const std::size_t chunk_bytes :
       {content_.size(), std::size_t{1}, std::size_t{97}, std::size_t{8192}}) {
    totals counted;
    auto all = events(chunk_bytes, counted);
    frame_builder builder(limits);
    std::vector<frame> frames;
    builder.add(all, frames);
    builder.finish(frames);
    std::vector<std::string> printed;
    std::uint64_t count = 0;
    for (const auto& f : frames) {
      printed.push_back(print(f));
      count += f.events.size();
      EXPECT_LE(f.events.size(), limits.events);
      EXPECT_EQ(f.seq, printed.size());
    }
    EXPECT_EQ(count, counted.events);
    if (first.empty()) first = printed;
    EXPECT_EQ(printed, first) << chunk_bytes;
  }
  EXPECT_GT(first.size(), 10U);
}

TEST_P(matches, are_detected) {
  EXPECT_EQ(detect(content_).value(), GetParam().form);
  EXPECT_EQ(detect(content_.substr(0, 700)).value(), GetParam().form);
}

INSTANTIATE_TEST_SUITE_P(files, matches,
                         testing::Values(match{"csgo-match", format::source},
                                         match{"quake3-games", format::quake3},
                                         match{"made-source", format::source},
                                         match{"made-quake3", format::quake3}),
                         [](const auto& instance) {
                           auto name = instance.param.file;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace skirmish::ingest
