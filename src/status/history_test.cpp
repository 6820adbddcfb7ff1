#include "status/history.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

const timestamp start{1'700'000'000s};

history_point point(std::chrono::seconds at, bool is_online,
                    std::optional<std::int64_t> players = {}) {
  return {start + at, is_online, players, 32};
}

TEST(status_history, uptime_is_the_part_of_the_time) {
  EXPECT_FALSE(uptime_percent({}, start));
  EXPECT_EQ(uptime_percent({point(0s, true)}, start), 100.0);
  EXPECT_EQ(uptime_percent({point(0s, true), point(60s, false), point(80s, true)}, start + 100s),
            80.0);
  EXPECT_EQ(uptime_percent({point(60s, false), point(0s, true)}, start + 60s), 100.0)
      << "a clock that went back";
}

TEST(status_history, thinning_keeps_outages_and_peaks) {
  std::vector<history_point> points;
  for (int i = 0; i < 5000; ++i)
    points.push_back(point(std::chrono::seconds{i}, i != 777, i == 4321 ? 99 : 1));
  const auto thin = thin_out(points, 1000);
  ASSERT_EQ(thin.size(), 1000U);
  EXPECT_EQ(std::count_if(thin.begin(), thin.end(), [](const auto& p) { return !p.is_online; }), 1);
  EXPECT_EQ(std::count_if(thin.begin(), thin.end(), [](const auto& p) { return p.players == 99; }),
            1);
  EXPECT_EQ(thin.back().at, points.back().at);
  EXPECT_EQ(thin_out({}, 10).size(), 0U);
}

TEST(status_history, json_and_badge) {
  const auto json = history_json({point(0s, true, 5), point(10s, false)}, 24, start + 20s);
  EXPECT_EQ(
      json,
      R"({"hours":24,"points":[{"t":"2023-11-14T22:13:20.000Z","online":true,"players":5,"max_players":32},)"
      R"({"t":"2023-11-14T22:13:30.000Z","online":false,"players":null,"max_players":32}],"samples":2,)"
      R"("uptime_percent":50,"players_peak":5})");
  EXPECT_THAT(history_json({}, 1, start),
              HasSubstr(R"("points":[],"samples":0,"uptime_percent":null,"players_peak":null)"));
  EXPECT_THAT(badge_svg(true, 99.34), HasSubstr("online 99.3 %"));
  EXPECT_THAT(badge_svg(false, std::nullopt), HasSubstr(">offline<"));
  EXPECT_THAT(badge_svg(std::nullopt, std::nullopt), HasSubstr(">unknown<"));
}

}  // namespace
}  // namespace skirmish::status
