// Wakes the one coroutine that waits for work, from its own loop or from any thread.
#pragma once

#include "core/event.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <memory>

namespace skirmish::tasks {

class wake_signal {
 public:
  explicit wake_signal(asio::io_context& io) : io_(io), state_(std::make_shared<state>(io)) {}

  // On the loop's thread. A notification while nobody waits is remembered.
  void notify() { state_->arrived.set(); }
  // On any thread. Many of them are one message to the loop.
  void notify_from_thread() {
    if (state_->is_posted.exchange(true)) return;
    asio::post(io_, [at = state_] {
      at->is_posted = false;
      at->arrived.set();
    });
  }

  // Waits for a notification since the last wait, at most until `deadline`. False when the deadline
  // passed first.
  awaitable<bool> wait_until(event::clock::time_point deadline) {
    return state_->arrived.wait_until(deadline);
  }

 private:
  struct state {
    explicit state(asio::io_context& io) : arrived(io) {}
    event arrived;
    std::atomic<bool> is_posted{false};
  };

  asio::io_context& io_;
  std::shared_ptr<state> state_;  // a posted notification may outlive the signal
};

}  // namespace skirmish::tasks
