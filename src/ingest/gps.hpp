// From a map's coordinates to GPS.
#pragma once

#include "core/error.hpp"

#include <string_view>

namespace skirmish::ingest {

// Where a map's point (0, 0, 0) lies. The default is in the middle of Paris.
struct geo_origin {
  double lat = 48.8566;
  double lon = 2.3522;
};

// Reads "48.8566,2.3522": latitude -85 to 85, longitude -180 to 180, nothing else around them.
result<geo_origin> parse_origin(std::string_view text);

// A point of a map in world units: x to the east, y to the north, z up.
struct world_position {
  double x = 0;
  double y = 0;
  double z = 0;
};

struct geo_point {
  double lat = 0;
  double lon = 0;
  double alt = 0;  // metres
};

// The plane that touches the WGS84 ellipsoid at the origin; one world unit is 1.905 cm (3/4 inch).
// With p the origin's latitude:
//
//   metres per degree of latitude  = 111132.92 - 559.82 cos 2p + 1.175 cos 4p - 0.0023 cos 6p
//   metres per degree of longitude = 111412.84 cos p - 93.5 cos 3p + 0.118 cos 5p
//   lat = origin.lat + 0.01905 y / metres per degree of latitude
//   lon = origin.lon + 0.01905 x / metres per degree of longitude
//   alt = 0.01905 z
//
// (The series of the former NGA "Length of a degree" calculator, right to a centimetre a degree.) A
// map of a few kilometres is off by less than its own walls; beyond that nothing is promised but
// validity: the latitude is clamped to +-85.0511287 (the limit of Redis GEO commands) and the
// longitude wraps at the antimeridian. Degrees are rounded to 1e-7 (about 1 cm) and altitudes to
// 1 mm, so that frames are short and the same on every machine.
class local_plane {
 public:
  explicit local_plane(geo_origin origin);
  [[nodiscard]] geo_point locate(const world_position& p) const;

 private:
  geo_origin origin_;
  double degrees_per_unit_north_;
  double degrees_per_unit_east_;
};

}  // namespace skirmish::ingest
