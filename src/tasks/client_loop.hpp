// The client side's I/O thread: one connection for commands, one for subscriptions. Callers of any
// thread hand it work and wait.
#pragma once

#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "redis/subscriber.hpp"

#include <boost/asio/co_spawn.hpp>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

namespace skirmish::tasks {

class client_loop {
 public:
  client_loop(const redis::connection_config& broker, const redis::connection_config& results);
  ~client_loop();
  client_loop(const client_loop&) = delete;
  client_loop& operator=(const client_loop&) = delete;

  // Runs `work()` on the loop and returns what it returns, or throws what it throws. Not on the
  // loop's own thread.
  template <class Work>
  auto block(Work work) {
    using value = typename std::invoke_result_t<Work>::value_type;
    waiter<value> done;
    asio::co_spawn(io_, std::move(work),
                   [&done](const std::exception_ptr& problem, auto... outcome) {
                     done.finish(problem, std::move(outcome)...);
                   });
    look_out(done.ready);
    return done.wait();
  }

  asio::io_context& io() noexcept { return io_; }
  redis::client& broker() noexcept { return broker_; }
  redis::client& results() noexcept { return results_ ? *results_ : broker_; }
  redis::subscriber& subscriber() noexcept { return subscriber_; }

 private:
  // A promise without the cost of one: publishing one by one waits here.
  template <class T>
  struct waiter {
    using stored = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<bool> ready{false};
    std::exception_ptr problem;
    stored value{};

    template <class... Outcome>
    void finish(const std::exception_ptr& p, Outcome&&... outcome) {
      // Notifying under the lock: the waiter may be gone as soon as it is released.
      const std::lock_guard lock(mutex);
      problem = p;
      if constexpr (sizeof...(Outcome) > 0)
        if (!p) value.emplace(std::forward<Outcome>(outcome)...);
      ready = true;
      changed.notify_one();
    }
    T wait() {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return ready.load(); });
      if (problem) std::rethrow_exception(problem);
      if constexpr (!std::is_void_v<T>) return std::move(*value);
    }
  };

  // Watches for the answer a moment before its thread sleeps: on one machine that is the time of
  // two context switches, and sending one by one is twice as fast. One caller at a time, and none
  // for a while after the answer took longer (Redis is elsewhere, or every core is busy).
  void look_out(const std::atomic<bool>& ready) noexcept;

  std::atomic<bool> looking_out_{false};
  std::atomic<int> look_outs_to_skip_{0};
  asio::io_context io_{1};
  redis::client broker_;
  std::unique_ptr<redis::client> results_;  // null: the broker's
  redis::subscriber subscriber_;
  task_group tasks_{io_};
  std::thread thread_;
};

}  // namespace skirmish::tasks
