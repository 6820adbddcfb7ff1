// Task ids.
#pragma once

#include <string>

namespace skirmish::tasks {

// A UUID version 4 from the CSPRNG. Random bytes are drawn a page at a time, because a system call
// per id would be the most expensive part of publishing a message.
std::string new_uuid();

}  // namespace skirmish::tasks
