#include "positions/map.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace skirmish::positions {
namespace {

TEST(density_of, counts_players_per_square_and_says_its_middle) {
  const auto found = density_of({{48.86, 2.35}, {48.87, 2.36}, {-0.1, -0.1}}, 1.0);
  ASSERT_EQ(found.cells.size(), 2u);
  EXPECT_EQ(found.total, 3);
  EXPECT_DOUBLE_EQ(found.cells[0].middle.lat, -0.5);
  EXPECT_DOUBLE_EQ(found.cells[0].middle.lon, -0.5);
  EXPECT_EQ(found.cells[0].players, 1);
  EXPECT_DOUBLE_EQ(found.cells[1].middle.lat, 48.5);
  EXPECT_DOUBLE_EQ(found.cells[1].middle.lon, 2.5);
  EXPECT_EQ(found.cells[1].players, 2);
}

TEST(density_of, weighs_a_sample) {
  const auto found = density_of({{1, 1}, {1, 1}, {9, 9}}, 1.0, 10.5);
  EXPECT_EQ(found.total, 32);
  EXPECT_EQ(found.cells[0].players, 21);
  EXPECT_EQ(found.cells[1].players, 11);
}

TEST(density_of, stays_on_the_map) {
  const auto found = density_of({{90, 180}, {-90, -180}}, 7.0);
  for (const auto& cell : found.cells) {
    EXPECT_LE(std::abs(cell.middle.lat), 90);
    EXPECT_LE(std::abs(cell.middle.lon), 180);
  }
}

TEST(density_of, takes_larger_squares_when_there_would_be_too_many) {
  std::vector<place> places;
  for (int lat = -80; lat < 80; ++lat)
    for (int lon = -170; lon < 170; ++lon) places.push_back({lat + 0.5, lon + 0.5});
  const auto found = density_of(places, 1.0);
  EXPECT_EQ(found.cell_deg, 4.0);
  EXPECT_LE(found.cells.size(), density_cells_max);
  std::int64_t sum = 0;
  for (const auto& cell : found.cells) sum += cell.players;
  EXPECT_EQ(sum, static_cast<std::int64_t>(places.size()));
}

TEST(density_of, an_empty_map_has_no_squares) {
  const auto found = density_of({}, 1.0);
  EXPECT_TRUE(found.cells.empty());
  EXPECT_EQ(found.total, 0);
}

}  // namespace
}  // namespace skirmish::positions
