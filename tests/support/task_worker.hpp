// A task worker on a thread of its own, for tests: short intervals, and an end like that of a
// killed process.
#pragma once

#include "tasks/worker.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace skirmish::testing {

// Polls until it is true, at most 60 seconds: CI is slow at times.
inline ::testing::AssertionResult becomes_true(
    const std::function<bool()>& condition,
    std::chrono::steady_clock::duration deadline = std::chrono::seconds{60}) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      return ::testing::AssertionFailure() << "it did not come true in time";
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return ::testing::AssertionSuccess();
}

class task_worker {
 public:
  // Registers what `owner` has; it must outlive this.
  task_worker(tasks::app& owner, tasks::worker_config config)
      : worker_(std::make_unique<tasks::worker>(owner.internals(), io_, std::move(config))),
        thread_([this] { run(); }) {}
  ~task_worker() { stop(); }
  task_worker(const task_worker&) = delete;
  task_worker& operator=(const task_worker&) = delete;

  // Ends it as SIGTERM does; cold, as SIGQUIT.
  void stop(bool cold = false) {
    ask_to_stop(cold);
    join();
  }
  void ask_to_stop(bool cold) {
    asio::post(io_, [this, cold] { worker_->stop(cold); });
  }
  // Stops in the middle of whatever it does, without a word to Redis. Tasks on threads run on.
  void vanish() {
    io_.stop();
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    const auto work = [this]() -> awaitable<void> { co_await worker_->run(); };
    asio::co_spawn(io_, work, [](const std::exception_ptr& problem) {
      try {
        if (problem) std::rethrow_exception(problem);
      } catch (const std::exception& e) {
        ADD_FAILURE() << "the worker failed: " << e.what();
      }
    });
    io_.run();
  }

  asio::io_context io_{1};
  std::unique_ptr<tasks::worker> worker_;
  std::thread thread_;
};

}  // namespace skirmish::testing
