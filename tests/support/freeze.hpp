// SIGSTOP that is sure to have worked.
#pragma once

#include "redis/child_process.hpp"

#include <sys/types.h>

#include <vector>

namespace skirmish::testing {

// Returns when all threads of the child stand still; without the wait a server of many threads may
// still answer for a moment.
void freeze(redis::child_process& child);

// The same for a child and the processes that it started, which are returned.
std::vector<pid_t> freeze_family(redis::child_process& child);

// Kills a child and the processes that it started, and waits until all of them are gone.
void kill_family(redis::child_process& child);

}  // namespace skirmish::testing
