#include "ingest/ingest.hpp"

#include "core/ids.hpp"
#include "core/parse.hpp"
#include "core/utf8.hpp"
#include "ingest/describe_test.hpp"
#include "ingest/frames.hpp"
#include "ingest/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace skirmish::ingest {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr std::string_view bought = R"(L 11/12/2018 - 19:57:28: "A<2><BOT><CT>" purchased "ak47")";

struct text_case {
  const char* name;
  std::string text;
  std::uint64_t lines;
  std::uint64_t unknown_lines;
  std::uint64_t items;
};

class line_endings : public testing::TestWithParam<text_case> {};

TEST_P(line_endings, are_the_same_however_the_bytes_arrive) {
  const auto& p = GetParam();
  for (const std::size_t chunk_bytes :
       {std::size_t{1}, std::size_t{2}, std::size_t{7}, p.text.size() + 1}) {
    const auto parser = make_parser(format::source, {});
    std::vector<log_event> events;
    for (std::size_t pos = 0; pos < p.text.size();)
      pos += parser->feed(std::string_view(p.text).substr(pos, chunk_bytes), events);
    parser->finish(events);
    const auto& counted = parser->counted();
    EXPECT_EQ(counted.lines, p.lines) << chunk_bytes;
    EXPECT_EQ(counted.unknown_lines, p.unknown_lines) << chunk_bytes;
    EXPECT_EQ(counted.items, p.items) << chunk_bytes;
  }
}

std::string twice(std::string_view between, std::string_view after = "") {
  return fmt::format("{}{}{}{}", bought, between, bought, after);
}

INSTANTIATE_TEST_SUITE_P(
    all, line_endings,
    testing::Values(
        text_case{"empty", "", 0, 0, 0}, text_case{"one_without", std::string(bought), 1, 0, 1},
        text_case{"lf", twice("\n", "\n"), 2, 0, 2},
        text_case{"crlf", twice("\r\n", "\r\n"), 2, 0, 2},
        text_case{"cr", twice("\r", "\r"), 2, 0, 2},
        text_case{"mixed", twice("\r\r\n\n", "\n\r"), 5, 0, 2},
        text_case{"padded", " \t" + twice(" \n", std::string(2, '\0') + "\n"), 2, 0, 2},
        text_case{"leading_nul", twice("\n" + std::string(1, '\0')), 2, 0, 2},
        text_case{"byte_order_mark", "\xEF\xBB\xBF" + twice("\n"), 2, 0, 2},
        text_case{"late_byte_order_mark", twice("\n\xEF\xBB\xBF"), 2, 1, 1},
        text_case{"inner_nul", fmt::format("{}{}x\n", bought, std::string(1, '\0')), 1, 0, 1},
        text_case{"noise", "\xFF\xFE\n" + twice("\n\x80\n"), 4, 2, 2},
        text_case{"at_the_limit", twice(std::string(line_limit_bytes - bought.size(), ' ') + "\n"),
                  2, 0, 2},
        text_case{"over_the_limit",
                  twice(std::string(line_limit_bytes - bought.size() + 1, ' ') + "\n"), 2, 1, 1},
        text_case{"far_over_the_limit", twice("\n" + std::string(100'000, 'x') + "\n"), 3, 1, 2},
        text_case{"over_the_limit_at_the_end", twice("\n", "\n" + std::string(9000, 'x')), 3, 1,
                  2}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(parser, lets_its_caller_deal_with_many_events) {
  std::string text;
  for (int n = 0; n < 500; ++n)
    text += fmt::format("L 11/12/2018 - 19:57:28: \"P{}<2><BOT><CT>\" purchased \"ak47\"\n", n);
  for (int n = 0; n < 100; ++n)
    text += "L 11/12/2018 - 19:57:28: World triggered \"Round_Start\"\n";
  const auto parser = make_parser(format::source, {});
  std::vector<log_event> events;
  std::string_view left = text;
  std::size_t sent = 0;
  while (!left.empty()) {
    left.remove_prefix(parser->feed(left, events));
    EXPECT_LE(events.size(), feed_events_limit + 500);
    for (const auto& e : events) sent += is_stream_event(e.what) ? 1 : 0;
    events.clear();
  }
  EXPECT_EQ(sent, 500U + 500U + 500U * 100U);
  EXPECT_EQ(parser->counted().events, sent);
}

TEST(parser, refuses_one_player_too_many) {
  std::string text;
  for (std::size_t n = 0; n <= recorder::players_limit; ++n)
    text += fmt::format("L 11/12/2018 - 19:57:28: \"P{}<2><BOT><CT>\" purchased \"ak47\"\n", n);
  const auto r = read_log(format::source, text + std::string(bought.substr(0, 25)) +
                                              R"("P7<2><BOT><CT>" dropped "ak47")");
  EXPECT_EQ(r.counted.players, recorder::players_limit);
  EXPECT_EQ(r.counted.unknown_lines, 1U);
  EXPECT_EQ(r.lines.back(), "item bot:P7 ak47 -1");
}

TEST(detect, refuses_what_is_neither) {
  for (const auto* text : {"", "\n\n\n", "hello\n", "{\"a\": 1}\n", "12:30 lunch\n\n", "<html>"}) {
    const auto found = detect(text);
    ASSERT_TRUE(found.has_error()) << text;
    EXPECT_EQ(found.error().code, errc::invalid_argument);
  }
}

TEST(detect, looks_past_noise) {
  const std::string noise(5000, 'x');
  EXPECT_EQ(detect(noise + "\n" + std::string(bought)).value(), format::source);
  EXPECT_EQ(detect(noise + "\n 20:37 ShutdownGame:\n").value(), format::quake3);
}

TEST(clean_text, is_always_valid_utf8) {
  EXPECT_EQ(clean_text("Zoë 😀", 64), "Zoë 😀");
  EXPECT_EQ(clean_text("a\tb\x7F\xC2\x85", 64), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(clean_text("\xC0\x80\xED\xA0\x80\xF5", 64), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(clean_text("éééé", 5), "éé");
  std::string bytes;
  for (int n = 0; n < 4096; ++n) bytes += static_cast<char>((n * 167 + n / 13) & 0xFF);
  EXPECT_TRUE(is_valid_utf8(clean_text(bytes, 10'000)));
  EXPECT_TRUE(is_valid_id(to_id(bytes)));
}

TEST(ids, long_ones_stay_different) {
  const auto one = to_id(std::string(70, 'a'));
  const auto other = to_id(std::string(71, 'a'));
  EXPECT_TRUE(is_valid_id(one));
  EXPECT_NE(one, other);
  EXPECT_EQ(to_id(std::string(64, 'a')), std::string(64, 'a'));
}

TEST(ids, are_one_to_one) {
  for (const auto* name : {"жук79", "лис79", "a b", "a/b", "a_b", "a\tb", "_", "", "^1a_b"}) {
    const auto id = to_id(name);
    EXPECT_TRUE(is_valid_id(id)) << name;
    for (const auto* other : {"жук79", "лис79", "a b", "a/b", "a_b", "a\tb", "_", "", "^1a_b"}) {
      EXPECT_EQ(id == to_id(other), std::string_view(name) == other) << name << " " << other;
      EXPECT_EQ(name_to_id(name) == name_to_id(other), std::string_view(name) == other)
          << name << " " << other;
    }
    // Who takes another's id as a name does not become the other.
    if (id != name) {
      EXPECT_NE(to_id(id), id) << name;
    }
  }
  EXPECT_EQ(to_id("plain.name-1:x"), "plain.name-1:x");
  EXPECT_NE(to_id("\xFF"), to_id("\xFE"));
  EXPECT_TRUE(name_to_id("^1Red^xF00Baron!").starts_with("RedBaron_."));
}

TEST(gps, origin) {
  const auto o = parse_origin("-33.8568,151.2153").value();
  EXPECT_EQ(o.lat, -33.8568);
  EXPECT_EQ(o.lon, 151.2153);
  for (const auto* bad : {"", "1", "1,", ",1", "1,2,3", "1;2", "86,0", "0,181", "nan,0", "0,inf",
                          "a,b", "1, 2", "1e999,0"})
    EXPECT_TRUE(parse_origin(bad).has_error()) << bad;
}

// On a sphere that fits the ellipsoid at 45 degrees: good enough to catch a wrong axis or unit.
double metres_between(geo_origin a, const geo_point& b) {
  const double rad = std::acos(-1.0) / 180;
  const double north = (b.lat - a.lat) * rad * 6'367'000;
  const double east = (b.lon - a.lon) * rad * 6'388'000 * std::cos(a.lat * rad);
  return std::hypot(north, east);
}

TEST(gps, one_unit_is_a_little_less_than_two_centimetres) {
  const geo_origin origin{45, 7};
  const local_plane plane(origin);
  EXPECT_NEAR(metres_between(origin, plane.locate({10'000, 0, 0})), 190.5, 0.3);
  EXPECT_NEAR(metres_between(origin, plane.locate({0, 10'000, 0})), 190.5, 0.3);
  EXPECT_NEAR(metres_between(origin, plane.locate({3'000, -4'000, 0})), 95.25, 0.2);
  EXPECT_GT(plane.locate({1000, 0, 0}).lon, 7);
  EXPECT_GT(plane.locate({0, 1000, 0}).lat, 45);
  EXPECT_EQ(plane.locate({0, 0, -1000}).alt, -19.05);
}

TEST(gps, stays_on_the_globe) {
  for (const geo_origin origin :
       {geo_origin{85, 180}, geo_origin{-85, -180}, geo_origin{0, 179.9999}}) {
    const local_plane plane(origin);
    for (const double far : {1e3, 1e6, 1e9, 1e300})
      for (const double sign : {-1.0, 1.0}) {
        const auto p = plane.locate({sign * far, sign * far, 0});
        EXPECT_LE(std::abs(p.lat), 85.0511287);
        EXPECT_LE(std::abs(p.lon), 180);
      }
  }
  EXPECT_LT(local_plane({0, 179.9999}).locate({10'000, 0, 0}).lon, -179.99);
}

std::string stream(format f, geo_origin origin, frame_limits limits,
                   std::vector<std::string> parts) {
  stream_id id(f, origin, limits);
  for (const auto& part : parts) id.update(part);
  return id.finish();
}

TEST(stream_id, depends_on_the_content_and_what_changes_the_events) {
  const geo_origin paris;
  const auto id = stream(format::source, paris, {}, {"abc"});
  EXPECT_TRUE(is_valid_id(id));
  EXPECT_TRUE(id.starts_with("source-"));
  EXPECT_EQ(id, stream(format::source, paris, {}, {"a", "", "bc"}));
  EXPECT_NE(id, stream(format::source, paris, {}, {"abd"}));
  EXPECT_NE(id, stream(format::source, {1, 2}, {}, {"abc"}));
  EXPECT_NE(id, stream(format::source, paris, {.events = 100, .span = 1s}, {"abc"}));
  EXPECT_NE(id, stream(format::source, paris, {.events = 250, .span = 2s}, {"abc"}));
  EXPECT_NE(id.substr(7), stream(format::quake3, paris, {}, {"abc"}).substr(7));
}

log_event at(std::chrono::milliseconds when, event what) { return {when, std::move(what)}; }

TEST(frames, are_cut_by_number_and_by_time) {
  frame_builder builder({.events = 2, .span = 1s});
  std::vector<log_event> events{at(0ms, level_seen{"l", "l"}),     at(0ms, player_seen{"a", "a"}),
                                at(0ms, respawn{"a", 100}),        at(0ms, respawn{"a", 90}),
                                at(500ms, respawn{"a", 80}),       at(1499ms, respawn{"a", 70}),
                                at(2600ms, player_seen{"b", "b"}), at(2600ms, respawn{"b", 100})};
  std::vector<frame> frames;
  builder.add(events, frames);
  EXPECT_TRUE(events.empty());
  ASSERT_EQ(frames.size(), 2U);
  builder.finish(frames);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].levels.size() + frames[0].players.size(), 2U);
  for (std::size_t n = 0; n < 3; ++n) EXPECT_EQ(frames[n].seq, n + 1);
  EXPECT_THAT(
      (std::vector{frames[0].events.size(), frames[1].events.size(), frames[2].events.size()}),
      ElementsAre(2, 2, 1));
  EXPECT_THAT((std::vector{frames[0].at, frames[1].at, frames[2].at}),
              ElementsAre(0ms, 500ms, 2600ms));
}

TEST(frames, flushed_ones_have_events_and_no_gaps) {
  frame_builder builder({});
  std::vector<frame> frames;
  const auto add = [&](event what) {
    std::vector<log_event> events{at(0ms, std::move(what))};
    builder.add(events, frames);
    builder.flush(frames);
  };
  add(player_seen{"a", "a"});
  EXPECT_TRUE(frames.empty());
  add(respawn{"a", 100});
  add(respawn{"a", 90});
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].players.size(), 1U) << "facts wait for the next event";
  EXPECT_EQ(frames[0].seq, 1U);
  EXPECT_EQ(frames[1].seq, 2U);
}

TEST(frames, facts_alone_make_a_last_frame_without_events) {
  frame_builder builder({});
  std::vector<frame> frames;
  builder.finish(frames);
  EXPECT_TRUE(frames.empty());
  std::vector<log_event> events{at(0ms, level_seen{"l", "l"})};
  builder.add(events, frames);
  builder.finish(frames);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(frames[0].events.empty());
  EXPECT_EQ(frames[0].levels.size(), 1U);
}

}  // namespace
}  // namespace skirmish::ingest
