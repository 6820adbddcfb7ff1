// Runs a coroutine of a test to its end.
#pragma once

#include "core/asio.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>

namespace skirmish::testing {

// Runs `work` on `io` and returns when it is done; rethrows what it threw. When it takes longer
// than `deadline`, throws std::runtime_error. Other coroutines on `io` (clients, servers) go on
// meanwhile, and again with the next call.
void run(asio::io_context& io, const std::function<awaitable<void>()>& work,
         std::chrono::steady_clock::duration deadline = std::chrono::minutes(5));

// Waits inside a coroutine until `condition` holds; throws std::runtime_error after `deadline`.
awaitable<void> eventually(std::function<bool()> condition,
                           std::chrono::steady_clock::duration deadline = std::chrono::seconds(60));
// The same for a condition that must itself be awaited.
awaitable<void> eventually_async(
    std::function<awaitable<bool>()> condition,
    std::chrono::steady_clock::duration deadline = std::chrono::seconds(60));

// Lets others run for a while; for what has no condition to wait for.
awaitable<void> pause(std::chrono::steady_clock::duration duration);

}  // namespace skirmish::testing
