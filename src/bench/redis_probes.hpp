// What benchmarks ask a Redis of their own about itself. They slow it down: ask when nothing is
// measured.
#pragma once

#include "redis/client.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace skirmish::cli {

awaitable<pid_t> process_of(redis::client& redis);
// Lets Redis note every command that takes longer.
awaitable<void> watch_scripts(redis::client& redis, std::chrono::microseconds longer_than);
// Milliseconds of each script that it noted and whose first key begins so.
awaitable<std::vector<double>> slow_scripts(redis::client& redis, std::string first_key);

awaitable<std::int64_t> used_memory(redis::client& redis);  // bytes
// MEMORY USAGE of all keys that fit a pattern, together.
awaitable<double> memory_of_keys_mb(redis::client& redis, std::string pattern);

}  // namespace skirmish::cli
