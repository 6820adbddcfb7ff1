// The table of `skirmish bench tasks`.
#pragma once

#include <boost/json/object.hpp>

namespace skirmish::cli {

// Prints what was measured, what was asked for, and the peers with their ratios.
void print_tasks_table(const boost::json::object& all);

}  // namespace skirmish::cli
