// The client side's event loop: one connection for commands, one for subscriptions. Callers of any
// thread hand it work and wait.
//
// A thread of its own runs it, but one caller who sends one thing after the other runs it
// meanwhile: then an answer wakes one thread and not two, and the scheduler keeps this thread and
// Redis on one core. Waking another core costs more than all the rest of a send (measured: 13,000
// round trips a second across two cores of a virtual machine, 125,000 on one).
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

  // Runs `work()` on the loop and returns what it returns, or throws what it throws. Not on the
  // loop's own thread.
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
      problem = own_copy(p);
      if constexpr (sizeof...(Outcome) > 0)
        if (!p) value.emplace(std::forward<Outcome>(outcome)...);
      ready = true;
      changed.notify_one();
    }
    // Of what the loop throws: an exception that two threads share is freed by whichever lets go of
    // it last, and that is the loop as often as the one who still reads it.
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
    // Helps until it is ready, as far as that is worth while.
    void await(const std::atomic<bool>& ready);

   private:
    client_loop& loop_;
    std::chrono::steady_clock::time_point begin_;
    bool drives_;
  };

  // For the loop's own thread: runs it whenever no caller does.
  void run();
  // Makes the calling thread the one that runs the loop, when it is the only caller and the last
  // answer came a moment ago.
  bool take_over(std::chrono::steady_clock::time_point now);
  void hand_back(bool keep_others_off);

  // Watches for the answer a moment before its thread sleeps, and runs the loop meanwhile if it
  // `drives`: a core that idles is the slowest to wake. One caller at a time; each time the
  // answer took longer (Redis is elsewhere, or every core is busy) the next ones rest for longer.
  void look_out(const std::atomic<bool>& ready, bool drives) noexcept;

  std::atomic<bool> looking_out_{false};
  int missed_ = 0, rest_ = 0;  // belong to who looks out

  std::mutex turn_;  // guards all up to running_
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
