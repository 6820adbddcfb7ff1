// What benchmarks ask a Redis of their own about itself, and the kernel about it.
#pragma once

#include "redis/client.hpp"

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace skirmish::cli {

// A process of this machine, as the kernel accounts for it. Costs microseconds.
struct process_times {
  std::chrono::nanoseconds worked{};  // on a core, all threads
  std::chrono::nanoseconds waited{};  // ready to run, but without a core; the main thread
};
process_times times_of(pid_t process);

// The rest slows Redis down: ask when nothing is measured.

awaitable<pid_t> process_of(redis::client& redis);
// Lets Redis note every command that takes longer.
awaitable<void> watch_scripts(redis::client& redis, std::chrono::microseconds longer_than);
// Milliseconds of each script that it noted and whose first key begins so.
awaitable<std::vector<double>> slow_scripts(redis::client& redis, std::string first_key);

awaitable<double> used_memory_mb(redis::client& redis);
// MEMORY USAGE of all keys that fit a pattern, together.
awaitable<double> memory_of_keys_mb(redis::client& redis, std::string pattern);

}  // namespace skirmish::cli
