#include "ingest/gps.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

namespace skirmish::ingest {
namespace {

constexpr double metres_per_unit = 0.01905;
constexpr double latitude_limit = 85.0511287;

// Adding zero turns a negative zero, which would be printed as "-0", into zero.
double rounded(double value, double steps) { return std::round(value * steps) / steps + 0.0; }

bool read_degrees(std::string_view text, double limit, double& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size() && std::abs(out) <= limit;
}

}  // namespace

result<geo_origin> parse_origin(std::string_view text) {
  const auto comma = text.find(',');
  geo_origin origin;
  if (comma == std::string_view::npos || !read_degrees(text.substr(0, comma), 85, origin.lat) ||
      !read_degrees(text.substr(comma + 1), 180, origin.lon))
    return error{errc::invalid_argument,
                 "an origin is latitude,longitude in degrees (-85 to 85, -180 to 180), such as "
                 "48.8566,2.3522"};
  return origin;
}

local_plane::local_plane(geo_origin origin) : origin_(origin) {
  const double p = origin.lat * std::numbers::pi / 180;
  const double north =
      111132.92 - 559.82 * std::cos(2 * p) + 1.175 * std::cos(4 * p) - 0.0023 * std::cos(6 * p);
  const double east = 111412.84 * std::cos(p) - 93.5 * std::cos(3 * p) + 0.118 * std::cos(5 * p);
  degrees_per_unit_north_ = metres_per_unit / north;
  degrees_per_unit_east_ = metres_per_unit / east;
}

geo_point local_plane::locate(const world_position& p) const {
  const double lat = origin_.lat + p.y * degrees_per_unit_north_;
  const double lon = std::remainder(origin_.lon + p.x * degrees_per_unit_east_, 360.0);
  return {rounded(std::clamp(lat, -latitude_limit, latitude_limit), 1e7), rounded(lon, 1e7),
          rounded(p.z * metres_per_unit, 1e3)};
}

}  // namespace skirmish::ingest
