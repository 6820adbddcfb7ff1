// A task worker on a thread of its own, for tests: short intervals, and an end like that of a
// killed process.
#pragma once

#include "tasks/worker/worker.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

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

// Keeps what a test stopped in the middle of its work: it can be neither ended nor destroyed, just
// as a killed process does neither.
inline void bury(std::shared_ptr<void> remains) {
  static auto& graveyard = *new std::vector<std::shared_ptr<void>>;
  graveyard.push_back(std::move(remains));
}

class task_worker {
 public:
  // Registers what `owner` has; it must outlive this.
  task_worker(tasks::app& owner, tasks::worker_config config)
      : state_(std::make_shared<state>(owner, std::move(config))), thread_([this] { run(); }) {}
  ~task_worker() { stop(); }
  task_worker(const task_worker&) = delete;
  task_worker& operator=(const task_worker&) = delete;

  // Ends it as SIGTERM does; cold, as SIGQUIT.
  void stop(bool cold = false) {
    if (!thread_.joinable()) return;
    asio::post(state_->io, [this, cold] { state_->worker.stop(cold); });
    thread_.join();
  }
  // Stops in the middle of whatever it does, without a word to Redis. Tasks on threads run on.
  void vanish() {
    state_->io.stop();
    thread_.join();
    vanished_.push_back(state_);
    bury(std::move(state_));
  }
  // Waits until no task of a vanished worker runs any more. Their gates must be open.
  static void join_vanished() {
    for (const auto& each : std::exchange(vanished_, {}))
      each->worker.join_threads(std::chrono::seconds{60});
  }

 private:
  struct state {
    state(tasks::app& owner, tasks::worker_config config)
        : worker(owner.internals(), io, std::move(config)) {}
    asio::io_context io{1};
    tasks::worker worker;
  };

  void run() {
    const auto work = [this]() -> awaitable<void> { co_await state_->worker.run(); };
    asio::co_spawn(state_->io, work, [](const std::exception_ptr& problem) {
      try {
        if (problem) std::rethrow_exception(problem);
      } catch (const std::exception& e) {
        ADD_FAILURE() << "the worker failed: " << e.what();
      }
    });
    state_->io.run();
  }

  static inline std::vector<std::shared_ptr<state>> vanished_;
  std::shared_ptr<state> state_;
  std::thread thread_;
};

}  // namespace skirmish::testing
