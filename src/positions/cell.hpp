// Where on Earth, as one number, so that a sorted set finds who is near.
//
// The sphere is projected on the six faces of a cube, as in Google's S2: a face's two coordinates
// are interleaved bit by bit (Morton order), 25 bits each, which is about 0.3 m. Nearby places
// share leading bits, so a circle is covered by a few ranges of numbers. Unlike latitude and
// longitude the cube has no poles and no seam at 180°, and unlike Redis' GEO commands it reaches
// ±90°. Numbers are below 6·2^50 < 2^53: a score of a sorted set holds them exactly.
//
// Pure, and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace skirmish::positions {

struct place {
  double lat = 0;  // degrees, -90 to 90
  double lon = 0;  // degrees, -180 to 180
};

inline constexpr double earth_radius_m = 6'371'008.8;  // mean radius (IUGG)
inline constexpr double distance_max_m = 20'015'115;   // to the other side of the Earth

// Along the surface of the sphere (haversine).
double distance_m(const place& a, const place& b);

std::uint64_t cell_of(const place& p);
// The middle of the cell; within 0.5 m of every place in it.
place middle_of(std::uint64_t cell);

struct cell_range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // inclusive
};
// Ascending, disjoint ranges with the cells of all places at most so far away, at most
// ranges_max of them; and of some that are farther: the ranges cover a few times the circle.
inline constexpr std::size_t ranges_max = 24;
std::vector<cell_range> cover(const place& middle, double radius_m);

// A part of a map, as GeoJSON's bbox: with west > east it crosses 180°.
struct box {
  double west = -180;
  double south = -90;  // at most north
  double east = 180;
  double north = 90;

  [[nodiscard]] bool holds(const place& p) const noexcept;
};
// The same for all places in the box.
std::vector<cell_range> cover(const box& part);

}  // namespace skirmish::positions
