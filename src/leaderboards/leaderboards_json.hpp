// Entries of boards as JSON, as routes and the live channel show them.
#pragma once

#include "leaderboards/leaderboards.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skirmish::leaderboards {

boost::json::value to_json(double n);  // whole numbers are shown as such
boost::json::object to_json(const entry& e);
boost::json::array to_json(const std::vector<entry>& entries);
boost::json::object to_json(const board_page& page);

}  // namespace skirmish::leaderboards
