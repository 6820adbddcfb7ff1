// Task ids: the name under which src/tasks/admin still asks for core/ids.hpp's UUIDs.
#pragma once

#include "core/ids.hpp"

namespace skirmish::tasks {

inline std::string new_uuid() { return random_uuid(); }

}  // namespace skirmish::tasks
