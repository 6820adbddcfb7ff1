// Positions as the API shows them.
#pragma once

#include "positions/positions.hpp"

#include <boost/json/array.hpp>

namespace skirmish::positions {

// [{player_id, distance_m, lat, lon, alt, ts}]; distances to a tenth of a metre.
boost::json::array to_json(const std::vector<neighbour>& players);

}  // namespace skirmish::positions
