// Queues as flags and settings name them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace skirmish::tasks {

// "a,b:3": names of queues, each with an optional weight of 1 to 1000 (else 1).
std::vector<std::pair<std::string, int>> parse_queues(const std::string& text);

}  // namespace skirmish::tasks
