// What benchmarks ask a Redis of their own about itself. They slow it down: ask when nothing is
// measured.
#pragma once

#include "redis/client.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace skirmish::cli {

// Lets Redis note every command that takes longer.
awaitable<void> watch_scripts(redis::client& redis, std::chrono::microseconds longer_than);
// Milliseconds of each script that it noted and whose first key begins so.
awaitable<std::vector<double>> slow_scripts(redis::client& redis, std::string first_key);

awaitable<double> used_memory_mb(redis::client& redis);
// MEMORY USAGE of all keys that fit a pattern, together.
awaitable<double> memory_of_keys_mb(redis::client& redis, std::string pattern);

}  // namespace skirmish::cli
