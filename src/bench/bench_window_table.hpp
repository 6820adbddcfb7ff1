// The table of `skirmish bench window`.
#pragma once

#include <boost/json/object.hpp>

namespace skirmish::cli {

// Prints what was measured, and what was asked for.
void print_window_table(const boost::json::object& measured);
// Whether all of that was reached.
bool reached_window_targets(const boost::json::object& measured);

}  // namespace skirmish::cli
