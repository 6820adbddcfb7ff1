// The only thing that spawns coroutines. Nothing is detached: a group knows what still runs, asks
// it to end, and lets its owner wait for that with a deadline.
#pragma once

#include "core/asio.hpp"
#include "core/event.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>

namespace skirmish {

// Belongs to one single-threaded io_context and is used on its thread only. Coroutines that outlive
// it do not touch it; but what they refer to is mostly destroyed with it, so wait for it, or stop
// the io_context, before it is destroyed.
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

  // The same for work that must never end by itself (a background loop): when it ends with an
  // exception, that is logged and it is started again after a pause (100 ms, doubled up to 30 s
  // while it keeps failing). Work that returns has ended.
  bool keep_running(std::string name, std::function<awaitable<void>()> work);

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
    bool is_orphan = false;  // the group is gone
  };

  asio::io_context& io_;
  std::list<std::shared_ptr<entry>> running_;
  event changed_;
  bool closed_ = false;
};

}  // namespace skirmish
