// The only thing that spawns coroutines. Nothing is detached: a group knows what still runs, asks
// it to end, and lets its owner wait for that with a deadline.
#pragma once

#include "core/asio.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>

namespace skirmish {

// Belongs to one single-threaded io_context and is used on its thread only. It must outlive its
// coroutines: wait for it, or stop the io_context, before it is destroyed.
class task_group {
 public:
  explicit task_group(asio::io_context& io);
  ~task_group();
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  // Starts `work()` on the io_context. `name` appears in the log when the work ends with an
  // exception; a cancellation is silent. After close() nothing is started and false is returned.
  // Give a named callable, never an already invoked capturing lambda (its captures would die
  // first).
  bool spawn(std::string name, std::function<awaitable<void>()> work);

  // Asks every coroutine to end (terminal cancellation at its next suspension); new spawns are
  // refused.
  void close();

  // Waits until nothing runs. False when `deadline` passed first.
  awaitable<bool> wait(std::chrono::steady_clock::duration deadline);

  [[nodiscard]] std::size_t size() const noexcept { return running_.size(); }
  [[nodiscard]] asio::io_context& context() const noexcept { return io_; }

 private:
  struct entry {
    asio::cancellation_signal signal;
  };

  asio::io_context& io_;
  std::list<std::shared_ptr<entry>> running_;
  asio::steady_timer changed_;
  bool closed_ = false;
};

}  // namespace skirmish
