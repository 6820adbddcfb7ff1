#include "positions/positions.hpp"

#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <random>

namespace skirmish::positions {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

near_query around(place middle, double radius_m, std::int64_t limit = 50, std::string except = {}) {
  return {middle, radius_m, limit, std::move(except)};
}

place at(double lat, double lon) { return {lat, lon}; }

class positions_fixture : public testing::redis_fixture {
 protected:
  // What interactions/commit.lua writes for a move.
  void move(redis::request& to, const std::string& player, place p, std::chrono::milliseconds ttl) {
    to.push("HSET", "move:" + player, "lat", fmt::format("{:.7f}", p.lat), "lon",
            fmt::format("{:.7f}", p.lon), "alt", "1.50", "ts", "2026-11-21T08:00:00.000Z");
    to.push("PEXPIRE", "move:" + player, ttl.count());
    to.push("ZADD", "positions", cell_of(p), player);
  }
  awaitable<void> move(std::string player, place p, std::chrono::milliseconds ttl = 60s) {
    redis::request r;
    move(r, player, p, ttl);
    redis::checked(co_await redis.exec(std::move(r)));
  }
  awaitable<std::vector<std::string>> names(near_query q) {
    std::vector<std::string> out;
    for (const auto& n : co_await positions.near(std::move(q))) out.push_back(n.player_id);
    co_return out;
  }

  redis::key_space keys;
  service positions{redis, keys};
};

TEST_F(positions_fixture, the_nearest_come_first_and_nobody_beyond_the_radius) {
  run([&]() -> awaitable<void> {
    co_await move("ann", at(48.8566, 2.3522));
    co_await move("bob", at(48.8576, 2.3522));  // 111 m north
    co_await move("cid", at(48.8566, 2.3622));  // 732 m east
    co_await move("dan", at(48.9566, 2.3522));  // 11 km north
    const auto paris = at(48.8566, 2.3522);
    EXPECT_THAT(co_await names(around(paris, 1'000)), ElementsAre("ann", "bob", "cid"));
    EXPECT_THAT(co_await names(around(paris, 1'000, 2)), ElementsAre("ann", "bob"));
    EXPECT_THAT(co_await names(around(paris, 1'000, 2, "ann")), ElementsAre("bob", "cid"));
    EXPECT_THAT(co_await names(around(paris, 20'000, 9, "ann")), ElementsAre("bob", "cid", "dan"));
    EXPECT_THAT(co_await names(around(at(-48, 2), 1'000)), IsEmpty());
    const auto found = co_await positions.near(around(paris, 200, 9, "ann"));
    EXPECT_NEAR(found.at(0).distance_m, 111.2, 0.1);
    EXPECT_EQ(found.at(0).alt, 1.5);
    EXPECT_EQ(found.at(0).ts, "2026-11-21T08:00:00.000Z");
    // Who moves is there and not here.
    co_await move("bob", at(-48, 2));
    EXPECT_THAT(co_await names(around(paris, 1'000, 9, "ann")), ElementsAre("cid"));
    EXPECT_THAT(co_await names(around(at(-48, 2), 10)), ElementsAre("bob"));
  });
}

TEST_F(positions_fixture, across_the_antimeridian_and_the_poles) {
  run([&]() -> awaitable<void> {
    co_await move("east", at(-17, 179.999));
    co_await move("west", at(-17, -179.999));
    co_await move("pole0", at(89.999, 0));
    co_await move("pole180", at(89.999, 180));
    co_await move("south", at(-90, 12));
    EXPECT_THAT(co_await names(around(at(-17, 180), 150)), UnorderedElementsAre("east", "west"));
    EXPECT_THAT(co_await names(around(at(-17, 179.999), 300, 9, "east")), ElementsAre("west"));
    EXPECT_THAT(co_await names(around(at(89.999, 0), 230)),
                UnorderedElementsAre("pole0", "pole180"));
    EXPECT_THAT(co_await names(around(at(-89.9999, -100), 20)), ElementsAre("south"));
  });
}

TEST_F(positions_fixture, an_expired_position_is_never_shown_and_soon_forgotten) {
  run([&]() -> awaitable<void> {
    for (int i = 0; i < 250; ++i) co_await move(fmt::format("gone{}", i), at(1, 2), 1ms);
    co_await move("here", at(1, 2));
    co_await testing::pause(20ms);
    EXPECT_THAT(co_await names(around(at(1, 2), 100)), ElementsAre("here"));
    const auto none = co_await positions.position("gone1");
    EXPECT_FALSE(none.has_value());
    EXPECT_EQ((co_await redis.command("ZCARD", "positions")).as_integer(), 251);
    co_await positions.prune(10'000);
    const auto left = redis::checked(co_await redis.command("ZRANGE", "positions", 0, -1));
    EXPECT_THAT(left.as_strings(), ElementsAre("here"));
  });
}

TEST_F(positions_fixture, a_crowd_is_searched_in_bounded_steps) {
  run([&]() -> awaitable<void> {
    // Too many to look at within 10 km, a few of them nearer, and many in a dense ring.
    std::mt19937_64 dice(4);
    std::uniform_real_distribution<double> share(0, 1);
    std::vector<std::pair<double, std::string>> exact;
    for (int part = 0; part < 110; ++part) {
      redis::request r;
      for (int i = 0; i < 200; ++i) {
        const auto name = fmt::format("p{:05}", part * 200 + i);
        const auto far = i < 10    ? 0.001 + 0.01 * share(dice)
                         : i < 100 ? 0.02 + 0.001 * share(dice)
                                   : 0.08 + 0.001 * share(dice);
        const auto bearing = 2 * std::numbers::pi * share(dice);
        const place p{std::round(far * std::cos(bearing) * 1e7) / 1e7,
                      std::round(far * std::sin(bearing) * 1e7) / 1e7};
        move(r, name, p, 60s);
        exact.emplace_back(distance_m(at(0, 0), p), name);
      }
      redis::checked(co_await redis.exec(std::move(r)));
    }
    std::sort(exact.begin(), exact.end());
    for (const std::int64_t limit : {1, 50, 1'000}) {
      const auto found = co_await names(around(at(0, 0), 10'000, limit));
      EXPECT_EQ(found.size(), static_cast<std::size_t>(limit));
      std::vector<std::string> expected;
      for (std::size_t i = 0; i < found.size(); ++i) expected.push_back(exact[i].second);
      EXPECT_EQ(found, expected) << limit;
    }
    // All at one place: as many as were asked for, whoever they are.
    for (int part = 0; part < 105; ++part) {
      redis::request r;
      for (int i = 0; i < 200; ++i) move(r, fmt::format("q{}", 200 * part + i), at(50, 50), 60s);
      redis::checked(co_await redis.exec(std::move(r)));
    }
    const auto found = co_await names(around(at(50, 50), 100'000, 1'000));
    EXPECT_EQ(found.size(), 1'000U);
  });
}

TEST_F(positions_fixture, agrees_with_haversine_everywhere) {
  run([&]() -> awaitable<void> {
    std::mt19937_64 dice(9);
    std::uniform_real_distribution<double> share(0, 1);
    const place hard[] = {{90, 0}, {-90, 0}, {0, 180}, {52, -180}, {0, 45}, {35.2644, 45}, {7, 8}};
    const auto anywhere = [&]() -> place {
      return {std::asin(2 * share(dice) - 1) * 180 / std::numbers::pi, 360 * share(dice) - 180};
    };
    const auto close_to = [&](place p) -> place {
      const auto scale = std::pow(10, -4 * share(dice));
      const auto lat = std::clamp(p.lat + scale * (share(dice) - 0.5), -90.0, 90.0);
      const auto lon = p.lon + 4 * scale * (share(dice) - 0.5);
      return {lat, std::remainder(lon, 360)};
    };
    std::map<std::string, place> all;
    redis::request r;
    for (int i = 0; i < 1'500; ++i) {
      auto p = i % 3 == 0 ? anywhere() : close_to(hard[dice() % std::size(hard)]);
      p = {std::round(p.lat * 1e7) / 1e7, std::round(p.lon * 1e7) / 1e7};
      all[fmt::format("p{}", i)] = p;
      move(r, fmt::format("p{}", i), p, 60s);
    }
    redis::checked(co_await redis.exec(std::move(r)));
    for (int round = 0; round < 300; ++round) {
      const auto middle = round % 4 == 0 ? anywhere() : close_to(hard[dice() % std::size(hard)]);
      const auto radius = std::pow(10, 1 + 6.3 * share(dice));
      const auto limit = static_cast<std::int64_t>(1 + dice() % 200);
      std::vector<std::pair<double, std::string>> expected;
      for (const auto& [name, p] : all)
        if (distance_m(middle, p) <= radius) expected.emplace_back(distance_m(middle, p), name);
      std::sort(expected.begin(), expected.end());
      if (expected.size() > static_cast<std::size_t>(limit))
        expected.resize(static_cast<std::size_t>(limit));
      const auto found = co_await positions.near(around(middle, radius, limit));
      EXPECT_EQ(found.size(), expected.size()) << middle.lat << ' ' << middle.lon << ' ' << radius;
      for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i)
        EXPECT_NEAR(found[i].distance_m, expected[i].first, 0.01) << round << ' ' << i;
    }
  });
}

}  // namespace
}  // namespace skirmish::positions
