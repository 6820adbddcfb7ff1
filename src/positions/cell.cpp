#include "positions/cell.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace skirmish::positions {
namespace {

constexpr int levels = 25;  // bits a coordinate
constexpr double pi = std::numbers::pi;

struct vector3 {
  double x = 0;
  double y = 0;
  double z = 0;
};

double dot(const vector3& a, const vector3& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

double radians(double degrees) { return degrees * pi / 180; }

vector3 direction_of(const place& p) {
  const auto lat = radians(p.lat);
  const auto lon = radians(p.lon);
  return {std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
}

place place_of(const vector3& d) {
  return {std::asin(std::clamp(d.z, -1.0, 1.0)) * 180 / pi, std::atan2(d.y, d.x) * 180 / pi};
}

// A face's plane is at distance 1; u and v lie in [-1, 1] on it. The angle is what is divided
// evenly, so that cells do not differ much in size.
double to_angle_share(double u) { return (std::atan(u) * 4 / pi + 1) / 2; }
double to_plane(double share) { return std::tan((2 * share - 1) * pi / 4); }

struct on_face {
  unsigned face = 0;
  double u = 0;
  double v = 0;
};

on_face project(const vector3& d) {
  const auto x = std::abs(d.x);
  const auto y = std::abs(d.y);
  const auto z = std::abs(d.z);
  if (x >= y && x >= z) return {d.x > 0 ? 0U : 3U, d.y / x, d.z / x};
  if (y >= z) return {d.y > 0 ? 1U : 4U, d.x / y, d.z / y};
  return {d.z > 0 ? 2U : 5U, d.x / z, d.y / z};
}

vector3 direction_of(const on_face& at) {
  const double sign = at.face < 3 ? 1 : -1;
  const auto length = std::sqrt(1 + at.u * at.u + at.v * at.v);
  const auto u = at.u / length;
  const auto v = at.v / length;
  const auto w = sign / length;
  switch (at.face % 3) {
    case 0: return {w, u, v};
    case 1: return {u, w, v};
    default: return {u, v, w};
  }
}

// The bits of `n` with a zero in front of each.
std::uint64_t spread(std::uint64_t n) {
  n = (n | n << 16) & 0x0000'FFFF'0000'FFFF;
  n = (n | n << 8) & 0x00FF'00FF'00FF'00FF;
  n = (n | n << 4) & 0x0F0F'0F0F'0F0F'0F0F;
  n = (n | n << 2) & 0x3333'3333'3333'3333;
  return (n | n << 1) & 0x5555'5555'5555'5555;
}

std::uint64_t gather(std::uint64_t n) {
  n &= 0x5555'5555'5555'5555;
  n = (n | n >> 1) & 0x3333'3333'3333'3333;
  n = (n | n >> 2) & 0x0F0F'0F0F'0F0F'0F0F;
  n = (n | n >> 4) & 0x00FF'00FF'00FF'00FF;
  n = (n | n >> 8) & 0x0000'FFFF'0000'FFFF;
  return (n | n >> 16) & 0x0000'0000'FFFF'FFFF;
}

// A square of the grid that divides a face 2^level times on each side.
struct square {
  unsigned face = 0;
  int level = 0;
  std::uint64_t morton = 0;  // 2 * level bits

  [[nodiscard]] vector3 middle() const {
    const auto share = [this](std::uint64_t n) {
      return std::ldexp(static_cast<double>(n) + 0.5, -level);
    };
    return direction_of(
        on_face{face, to_plane(share(gather(morton))), to_plane(share(gather(morton >> 1)))});
  }
  [[nodiscard]] cell_range cells() const {
    const auto below = 2 * (levels - level);
    const auto first = std::uint64_t{face} << (2 * levels) | morton << below;
    return {first, first + (std::uint64_t{1} << below) - 1};
  }
};

// Radius of a circle around a square's middle that holds the square. The largest are those at a
// corner of the cube, where they are rhombs: sides 2√2/3 of the ideal, the angle 60°, so half of
// the long diagonal is √6/3.
double circumradius(int level) { return 0.8165 * std::ldexp(pi / 2, -level); }

// How far from its middle a square reaches; a little more (6 mm), for rounding.
double reach_of(const square& s) { return circumradius(s.level) + 1e-9; }

// The cosine of the angle from `p` to the nearest place of a box. On a meridian that is `turn` away
// it is cos(lat - foot) times a constant, so the nearest place is where the perpendicular meets it,
// or an end.
double cos_of_distance(const place& p, const box& part) {
  const auto south = radians(part.south);
  const auto north = radians(part.north);
  const auto lat = radians(p.lat);
  const auto on_meridian = [&](double turn) {
    const auto cos_to = [&](double to) {
      return std::sin(lat) * std::sin(to) + std::cos(lat) * std::cos(to) * std::cos(turn);
    };
    const auto foot = std::atan2(std::sin(lat), std::cos(lat) * std::cos(turn));
    return std::max({cos_to(south), cos_to(north), cos_to(std::clamp(foot, south, north))});
  };
  if (box{part.west, -90, part.east, 90}.holds(p)) return on_meridian(0);
  return std::max(on_meridian(radians(p.lon - part.west)), on_meridian(radians(p.lon - part.east)));
}

// The ranges of the squares that touch something of about that radius (an angle).
template <class Touches>
std::vector<cell_range> cover_by(double radius, Touches touches) {
  std::vector<square> squares;
  for (unsigned face = 0; face < 6; ++face)
    if (const square s{face, 0, 0}; touches(s)) squares.push_back(s);
  for (int level = 1; level <= levels && circumradius(level) > radius / 4; ++level) {
    std::vector<square> smaller;
    for (const auto& s : squares)
      for (std::uint64_t quarter = 0; quarter < 4; ++quarter)
        if (const square part{s.face, level, s.morton << 2 | quarter}; touches(part))
          smaller.push_back(part);
    if (smaller.size() > ranges_max) break;
    squares = std::move(smaller);
  }
  std::vector<cell_range> out;
  for (const auto& s : squares) {
    const auto cells = s.cells();
    if (!out.empty() && out.back().last + 1 == cells.first)
      out.back().last = cells.last;
    else
      out.push_back(cells);
  }
  return out;
}

}  // namespace

double distance_m(const place& a, const place& b) {
  const auto lat = std::sin(radians(b.lat - a.lat) / 2);
  const auto lon = std::sin(radians(b.lon - a.lon) / 2);
  const auto h = lat * lat + std::cos(radians(a.lat)) * std::cos(radians(b.lat)) * lon * lon;
  return 2 * earth_radius_m * std::asin(std::sqrt(std::min(1.0, h)));
}

std::uint64_t cell_of(const place& p) {
  const auto at = project(direction_of(p));
  const auto number = [](double plane) {
    constexpr auto count = std::uint64_t{1} << levels;
    const auto n = std::ldexp(to_angle_share(plane), levels);
    return std::min(static_cast<std::uint64_t>(std::max(n, 0.0)), count - 1);
  };
  return std::uint64_t{at.face} << (2 * levels) | spread(number(at.v)) << 1 | spread(number(at.u));
}

place middle_of(std::uint64_t cell) {
  const square s{static_cast<unsigned>(cell >> (2 * levels)), levels,
                 cell & ((std::uint64_t{1} << (2 * levels)) - 1)};
  return place_of(s.middle());
}

std::vector<cell_range> cover(const place& middle, double radius_m) {
  const auto centre = direction_of(middle);
  const auto radius = std::max(radius_m, 0.0) / earth_radius_m;
  return cover_by(radius, [&](const square& s) {
    const auto reach = radius + reach_of(s);
    return reach >= pi || dot(centre, s.middle()) >= std::cos(reach);
  });
}

bool box::holds(const place& p) const noexcept {
  if (p.lat < south || p.lat > north) return false;
  return west <= east ? p.lon >= west && p.lon <= east : p.lon >= west || p.lon <= east;
}

std::vector<cell_range> cover(const box& part) {
  const auto width = part.east - part.west + (part.west <= part.east ? 0 : 360);
  const auto radius = radians(std::max(width, part.north - part.south)) / 2;
  return cover_by(radius, [&](const square& s) {
    const auto reach = reach_of(s);
    return reach >= pi || cos_of_distance(place_of(s.middle()), part) >= std::cos(reach);
  });
}

}  // namespace skirmish::positions
