// The client side's event loop: one connection for commands, one for subscriptions. Callers of any
// thread hand it work and wait.
//
// It has a thread of its own. But a caller that sends one message after another runs the loop
// itself while it waits: then a reply wakes one thread instead of two, and the scheduler keeps this
// thread and Redis on one core. Waking another core costs more than the rest of a send (measured:
// 13,000 round trips per second across two cores of a virtual machine, 125,000 on one).
#pragma once

#include "core/error.hpp"
#include "core/run_loop.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "redis/subscriber.hpp"

#include <boost/asio/co_spawn.hpp>

#include <atomic>
#include <chrono>
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

  // Runs `work()` on the loop, waits, and returns what it returns or throws what it throws. Must
  // not be called on the loop's own thread.
  template <class Work>
  auto block(Work work) {
    using value = typename std::invoke_result_t<Work>::value_type;
    waiter<value> done;
    guest here(*this);
    asio::co_spawn(io_, std::move(work),
                   [&done](const std::exception_ptr& problem, auto... outcome) {
                     done.finish(problem, std::move(outcome)...);
                   });
    here.await(done.ready);
    return done.wait();
  }

  asio::io_context& io() noexcept { return io_; }
  redis::client& broker() noexcept { return broker_; }
  redis::client& results() noexcept { return results_ ? *results_ : broker_; }
  redis::subscriber& subscriber() noexcept { return subscriber_; }

 private:
  // A cheap promise, because publishing one by one waits here.
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
      problem = own_copy(p);
      if constexpr (sizeof...(Outcome) > 0)
        if (!p) value.emplace(std::forward<Outcome>(outcome)...);
      ready = true;
      changed.notify_one();
    }
    // Copies a failure: an exception object that two threads share may be freed by the loop while
    // the caller still reads it.
    static std::exception_ptr own_copy(const std::exception_ptr& p) {
      if (!p) return p;
      try {
        std::rethrow_exception(p);
      } catch (const failure& e) {
        return std::make_exception_ptr(failure(e.code(), std::string(e.what())));
      } catch (...) {
        return p;
      }
    }
    T wait() {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return ready.load(); });
      if (problem) std::rethrow_exception(problem);
      if constexpr (!std::is_void_v<T>) return std::move(*value);
    }
  };

  // A caller in block().
  class guest {
   public:
    explicit guest(client_loop& loop);
    ~guest();
    guest(const guest&) = delete;
    guest& operator=(const guest&) = delete;
    // Runs the loop until `ready`, as long as that is worthwhile.
    void await(const std::atomic<bool>& ready);

   private:
    client_loop& loop_;
    std::chrono::steady_clock::time_point begin_;
    bool drives_;
  };

  // The loop's own thread: runs the loop whenever no caller does.
  void run();
  // Lets the calling thread run the loop, if it is the only caller and the last reply came a moment
  // ago.
  bool take_over(std::chrono::steady_clock::time_point now);
  void hand_back(bool keep_others_off);

  // Spins for the reply for a moment before the thread sleeps, because an idle core is slow to
  // wake; runs the loop meanwhile if it `drives`. One caller at a time. Each time a reply took
  // longer (Redis is remote, or all cores are busy) the next callers skip this more often.
  void spin(const std::atomic<bool>& ready, bool drives) noexcept;

  std::atomic<bool> spinning_{false};
  int missed_ = 0, rest_ = 0;  // of the caller that spins

  std::mutex mutex_;  // guards all members up to running_
  std::condition_variable parked_, left_;
  int callers_ = 0;
  std::chrono::steady_clock::time_point crowded_until_, last_quick_;
  std::uint64_t drives_ = 0;           // how often a caller has run the loop
  bool driven_ = false;                // a caller runs it
  bool running_ = false;               // its own thread runs it
  std::atomic<bool> reserved_{false};  // its own thread is to stay away

  event_loop io_{1};
  redis::client broker_;
  std::unique_ptr<redis::client> results_;  // null: the broker's
  redis::subscriber subscriber_;
  task_group tasks_{io_};
  task_group control_{io_};
  std::thread thread_;
};

}  // namespace skirmish::tasks
