// SIGSTOP that is sure to have worked.
#pragma once

#include "redis/child_process.hpp"

#include <sys/wait.h>

#include <csignal>

namespace skirmish::testing {

// Returns when all threads of the child stand still; without the wait a server of many threads may
// still answer for a moment.
inline void freeze(redis::child_process& child) {
  child.signal(SIGSTOP);
  siginfo_t stopped{};
  waitid(P_PID, static_cast<id_t>(child.pid()), &stopped, WSTOPPED | WNOWAIT);
}

}  // namespace skirmish::testing
