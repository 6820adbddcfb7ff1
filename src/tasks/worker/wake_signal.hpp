// Wakes the one coroutine that waits for work, from its own loop or from any thread.
#pragma once

#include "core/asio.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <memory>

namespace skirmish::tasks {

class wake_signal {
 public:
  using clock = std::chrono::steady_clock;

  explicit wake_signal(asio::io_context& io)
      : io_(io), timer_(std::make_shared<asio::steady_timer>(io, clock::time_point::max())) {}

  // On the loop's thread. A notification while nobody waits is remembered.
  void notify() {
    if (!notified_.exchange(true)) timer_->cancel();
  }
  // On any thread.
  void notify_from_thread() {
    if (!notified_.exchange(true)) asio::post(io_, [timer = timer_] { timer->cancel(); });
  }

  // Waits for a notification since the last wait, at most until `deadline`. False when the deadline
  // passed first.
  awaitable<bool> wait_until(clock::time_point deadline) {
    timer_->expires_at(deadline);
    if (notified_.exchange(false)) co_return true;
    error_code cancelled;
    co_await timer_->async_wait(asio::redirect_error(use_awaitable, cancelled));
    notified_ = false;
    co_return static_cast<bool>(cancelled);
  }

 private:
  asio::io_context& io_;
  std::shared_ptr<asio::steady_timer> timer_;
  std::atomic<bool> notified_{false};
};

}  // namespace skirmish::tasks
