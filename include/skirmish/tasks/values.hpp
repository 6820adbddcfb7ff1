// JSON values and times, under the names this library uses.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>

namespace skirmish::tasks {

using json = boost::json::value;
using json_array = boost::json::array;
using json_object = boost::json::object;
using time_point = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;

}  // namespace skirmish::tasks
