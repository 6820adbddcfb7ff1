#include "positions/cell.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

namespace skirmish::positions {
namespace {

constexpr double pi = std::numbers::pi;

// Anywhere on the sphere, but often where things go wrong: poles, the antimeridian, the cube's
// edges and corners.
place random_place(std::mt19937_64& dice) {
  std::uniform_real_distribution<double> share(0, 1);
  static constexpr place hard[] = {{90, 0},  {-90, 77},      {0, 180},      {0, -180},
                                   {12, 45}, {0, 45},        {-35.26, 135}, {35.26, -45},
                                   {45, 90}, {89.9999, 180}, {-45, 180},    {0, 0}};
  if (dice() % 2 == 0) return {std::asin(2 * share(dice) - 1) * 180 / pi, 360 * share(dice) - 180};
  return hard[dice() % std::size(hard)];
}

// At that distance in a random direction, give or take rounding.
place moved(const place& from, double distance, std::mt19937_64& dice) {
  const auto bearing = std::uniform_real_distribution<double>(0, 2 * pi)(dice);
  const auto angle = distance / earth_radius_m;
  const auto lat = from.lat * pi / 180;
  const auto lon = from.lon * pi / 180;
  const auto to = std::asin(std::clamp(
      std::sin(lat) * std::cos(angle) + std::cos(lat) * std::sin(angle) * std::cos(bearing), -1.0,
      1.0));
  const auto turned = lon + std::atan2(std::sin(bearing) * std::sin(angle) * std::cos(lat),
                                       std::cos(angle) - std::sin(lat) * std::sin(to));
  return {to * 180 / pi, std::remainder(turned, 2 * pi) * 180 / pi};
}

double random_radius(std::mt19937_64& dice) {
  return std::pow(10.0,
                  std::uniform_real_distribution<double>(-1, std::log10(distance_max_m))(dice));
}

bool holds(const std::vector<cell_range>& ranges, std::uint64_t cell) {
  for (const auto& r : ranges)
    if (cell >= r.first && cell <= r.last) return true;
  return false;
}

TEST(cell, distances_are_those_of_the_sphere) {
  EXPECT_NEAR(distance_m({0, 0}, {0, 1}), 111'195.1, 0.1);
  EXPECT_NEAR(distance_m({0, 179.9}, {0, -179.9}), 22'239.0, 0.1);
  EXPECT_NEAR(distance_m({89.9, 0}, {89.9, 180}), 22'239.0, 0.1);
  EXPECT_NEAR(distance_m({90, 0}, {-90, 123}), distance_max_m, 1);
  // Paris to New York.
  EXPECT_NEAR(distance_m({48.8566, 2.3522}, {40.7128, -74.006}), 5'837'241, 1'000);
}

TEST(cell, a_number_says_where_to_half_a_metre) {
  std::mt19937_64 dice(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto p = moved(random_place(dice), random_radius(dice), dice);
    const auto cell = cell_of(p);
    ASSERT_LT(cell, 6ULL << 50);
    ASSERT_LT(distance_m(p, middle_of(cell)), 0.5) << p.lat << ' ' << p.lon;
    ASSERT_EQ(cell_of(middle_of(cell)), cell) << p.lat << ' ' << p.lon;
  }
}

TEST(cell, both_names_of_the_antimeridian_and_all_of_a_pole_are_one_place) {
  EXPECT_LT(distance_m(middle_of(cell_of({10, 180})), {10, -180}), 0.5);
  EXPECT_LT(distance_m(middle_of(cell_of({10, -180})), {10, 180}), 0.5);
  for (const double lon : {-180.0, -91.0, 0.0, 12.0, 179.0})
    EXPECT_LT(distance_m(middle_of(cell_of({90, lon})), {90, 0}), 0.5);
}

TEST(cell, a_cover_holds_everything_in_the_circle) {
  std::mt19937_64 dice(2);
  std::uniform_real_distribution<double> share(0, 1);
  for (int i = 0; i < 4'000; ++i) {
    const auto middle = random_place(dice);
    const auto radius = random_radius(dice);
    const auto ranges = cover(middle, radius);
    ASSERT_LE(ranges.size(), ranges_max);
    for (std::size_t k = 1; k < ranges.size(); ++k) ASSERT_GT(ranges[k].first, ranges[k - 1].last);
    for (int k = 0; k < 20; ++k) {
      const auto p = moved(middle, radius * std::sqrt(share(dice)), dice);
      if (distance_m(middle, p) > radius) continue;
      ASSERT_TRUE(holds(ranges, cell_of(p))) << middle.lat << ' ' << middle.lon << " radius "
                                             << radius << ": " << p.lat << ' ' << p.lon;
    }
  }
}

TEST(cell, a_cover_is_not_much_more_than_the_circle) {
  std::mt19937_64 dice(3);
  for (int i = 0; i < 2'000; ++i) {
    const auto radius = std::max(10.0, random_radius(dice));
    double cells = 0;
    for (const auto& r : cover(random_place(dice), radius))
      cells += static_cast<double>(r.last - r.first + 1);
    const auto covered = cells / std::ldexp(6.0, 50);
    const auto circle = (1 - std::cos(std::min(radius / earth_radius_m, pi))) / 2;
    ASSERT_LT(covered, std::min(1.0001, 12 * circle)) << radius;
  }
}

TEST(cell, a_cover_holds_everything_in_the_box) {
  std::mt19937_64 dice(4);
  std::uniform_real_distribution<double> share(0, 1);
  for (int i = 0; i < 4'000; ++i) {
    const auto corner = random_place(dice);
    const auto size = std::pow(10.0, 6 * share(dice) - 4);  // degrees: 10 m to all of it
    box part{corner.lon, corner.lat, corner.lon, std::min(90.0, corner.lat + size * share(dice))};
    const auto width = std::min(360.0, 2 * size * share(dice));
    part.east = corner.lon + width > 180 ? corner.lon + width - 360 : corner.lon + width;
    const auto ranges = cover(part);
    ASSERT_LE(ranges.size(), ranges_max);
    for (int k = 0; k < 20; ++k) {
      auto lon = part.west + share(dice) * width;
      if (lon > 180) lon -= 360;
      const place p{part.south + share(dice) * (part.north - part.south), lon};
      if (!part.holds(p)) continue;
      ASSERT_TRUE(holds(ranges, cell_of(p)))
          << part.west << ' ' << part.south << ' ' << part.east << ' ' << part.north << ": " << p.lat
          << ' ' << p.lon;
    }
  }
}

TEST(cell, a_box_may_cross_the_antimeridian) {
  const box part{179, -1, -179, 1};
  EXPECT_TRUE(part.holds({0, 180}));
  EXPECT_TRUE(part.holds({0, -179.5}));
  EXPECT_FALSE(part.holds({0, 0}));
  EXPECT_FALSE(part.holds({2, 180}));
  double cells = 0;
  for (const auto& r : cover(part)) cells += static_cast<double>(r.last - r.first + 1);
  EXPECT_LT(cells / std::ldexp(6.0, 50), 0.01);
}

}  // namespace
}  // namespace skirmish::positions
