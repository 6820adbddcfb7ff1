#include "support/run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <stdexcept>

namespace skirmish::testing {

using namespace std::chrono_literals;

void run(asio::io_context& io, const std::function<awaitable<void>()>& work,
         std::chrono::steady_clock::duration deadline) {
  bool done = false;
  std::exception_ptr problem;
  asio::co_spawn(io, work, [&](const std::exception_ptr& thrown) {
    done = true;
    problem = thrown;
  });
  io.restart();
  const auto limit = std::chrono::steady_clock::now() + deadline;
  while (!done && io.run_one_until(limit) != 0) {
  }
  if (!done) throw std::runtime_error("the test's coroutine did not end in time");
  if (problem) std::rethrow_exception(problem);
}

awaitable<void> pause(std::chrono::steady_clock::duration duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(use_awaitable);
}

awaitable<void> eventually(std::function<bool()> condition,
                           std::chrono::steady_clock::duration deadline) {
  const auto limit = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= limit)
      throw std::runtime_error("the condition did not come true in time");
    co_await pause(2ms);
  }
}

awaitable<void> eventually_async(std::function<awaitable<bool>()> condition,
                                 std::chrono::steady_clock::duration deadline) {
  const auto limit = std::chrono::steady_clock::now() + deadline;
  while (!co_await condition()) {
    if (std::chrono::steady_clock::now() >= limit)
      throw std::runtime_error("the condition did not come true in time");
    co_await pause(2ms);
  }
}

}  // namespace skirmish::testing
