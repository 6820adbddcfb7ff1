// Lets coroutines wait until something has happened: what a condition variable is to threads.
//
//   event changed{io};
//   while (!is_ready()) co_await changed.wait();                   // one that waits
//   …
//   ready = true;
//   changed.set();                                                 // one that lets it go on
#pragma once

#include "core/asio.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <vector>

namespace skirmish {

// Belongs to one single-threaded io_context and is used on its thread only; another thread posts
// the call of set() to it.
class event {
 public:
  using clock = std::chrono::steady_clock;

  explicit event(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  explicit event(asio::io_context& io) : executor_(io.get_executor()) {}
  // The waits of those who still wait throw system_error{operation_aborted}.
  ~event();
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  // Wakes all who wait. When nobody does, that is remembered: the next wait returns at once. Those
  // who are woken run later, never inside this call.
  void set();

  // Waits for set(). A cancellation of the coroutine ends the wait with
  // system_error{operation_aborted}; where throw_if_cancelled(false) is in force, it only ends it.
  awaitable<void> wait();
  // False when the time passed first. A set() that comes at the same moment is not lost.
  awaitable<bool> wait_until(clock::time_point deadline);
  awaitable<bool> wait_for(clock::duration limit);

  [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

 private:
  struct waiter;

  asio::any_io_executor executor_;
  std::vector<waiter*> waiting_;  // each on the frame of its coroutine
  bool is_set_ = false;
};

}  // namespace skirmish
