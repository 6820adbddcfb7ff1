#include "tasks/client_loop.hpp"

#include "core/log.hpp"
#include "core/message_of.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

// A caller whose last reply is not older than this sends one message after another.
constexpr auto burst_gap = 1ms;
// A longer wait is left to the loop's own thread: it may be for a task's result.
constexpr auto drive_limit = 2ms;
// For this long after two callers were seen at once, no caller takes over.
constexpr auto crowd_memory = 100ms;

// The same as run_loop().
template <class Run>
void guarded(Run run) {
  try {
    run();
  } catch (...) {
    log::error("unhandled_exception", {{"error", message_of(std::current_exception())}});
  }
}

}  // namespace

client_loop::client_loop(const redis::connection_config& broker,
                         const redis::connection_config& results)
    : broker_(io_, broker, "skirmish-tasks"), subscriber_(io_, results, "skirmish-tasks-results") {
  const bool apart = redis::to_string_masked(broker) != redis::to_string_masked(results) ||
                     broker.database != results.database;
  if (apart) results_ = std::make_unique<redis::client>(io_, results, "skirmish-tasks-results");
  tasks_.spawn("tasks_broker", [this] { return broker_.run(); });
  if (results_) tasks_.spawn("tasks_results", [this] { return results_->run(); });
  tasks_.spawn("tasks_subscriber", [this] { return subscriber_.run(); });
  thread_ = std::thread([this] { run(); });
}

void client_loop::run() {
  const auto keep = asio::make_work_guard(io_);
  std::unique_lock lock(mutex_);
  while (!io_.stopped()) {
    while (reserved_ || driven_) {
      const auto seen = drives_;
      parked_.wait_for(lock, burst_gap, [this] { return !reserved_ && !driven_; });
      // No caller came in all that time.
      if (!driven_ && drives_ == seen) reserved_ = false;
    }
    running_ = true;
    lock.unlock();
    while (!reserved_ && !io_.stopped()) guarded([this] { io_.run_one(); });
    lock.lock();
    running_ = false;
    left_.notify_all();
  }
}

bool client_loop::take_over(steady::time_point now) {
  std::unique_lock lock(mutex_);
  ++callers_;
  if (callers_ > 1) crowded_until_ = now + crowd_memory;
  if (now < crowded_until_) {
    if (reserved_.exchange(false)) {
      parked_.notify_one();
      left_.notify_all();
    }
    return false;
  }
  if (driven_ || now - last_quick_ > burst_gap) return false;
  reserved_ = true;
  if (running_) {
    asio::post(io_, [] {});  // so that it returns
    left_.wait(lock, [this] { return !running_ || !reserved_; });
    if (!reserved_) return false;
  }
  driven_ = true;
  return true;
}

void client_loop::hand_back(bool keep_others_off) {
  const std::lock_guard lock(mutex_);
  driven_ = false;
  ++drives_;
  if (!keep_others_off) reserved_ = false;
  if (!reserved_) parked_.notify_one();
}

client_loop::guest::guest(client_loop& loop)
    : loop_(loop), begin_(steady::now()), drives_(loop.take_over(begin_)) {}

client_loop::guest::~guest() {
  if (drives_) loop_.hand_back(false);
  const auto now = steady::now();
  const std::lock_guard lock(loop_.mutex_);
  --loop_.callers_;
  if (now - begin_ < drive_limit) loop_.last_quick_ = now;
}

void client_loop::guest::await(const std::atomic<bool>& ready) {
  loop_.spin(ready, drives_);
  if (!drives_) return;
  const auto until = begin_ + drive_limit;
  while (!ready && steady::now() < until) guarded([&] { loop_.io_.run_one_until(until); });
  drives_ = false;
  loop_.hand_back(ready);
}

void client_loop::spin(const std::atomic<bool>& ready, bool drives) noexcept {
  static const bool one_core = std::thread::hardware_concurrency() < 2;
  constexpr auto moment = std::chrono::microseconds(100);
  constexpr int longest_rest = 64;
  if (one_core || spinning_.exchange(true, std::memory_order_acquire)) return;
  if (rest_ > 0) {
    --rest_;
  } else {
    const auto until = std::chrono::steady_clock::now() + moment;
    bool seen = ready.load(std::memory_order_acquire);
    while (!seen && std::chrono::steady_clock::now() < until) {
      std::size_t ran = 0;
      if (drives) guarded([&] { ran = io_.poll_one(); });
      // Redis, or the loop's own thread, may wait for this very core.
      if (ran == 0) std::this_thread::yield();
      seen = ready.load(std::memory_order_acquire);
    }
    missed_ = seen ? 0 : std::min(2 * missed_ + 1, longest_rest);
    rest_ = missed_;
  }
  spinning_.store(false, std::memory_order_release);
}

client_loop::~client_loop() {
  asio::post(io_, [this] {
    broker_.stop();
    if (results_) results_->stop();
    subscriber_.stop();
    control_.spawn("tasks_stop", [this]() -> awaitable<void> {
      const stop_at_exit end{io_};
      co_await tasks_.wait(std::chrono::seconds(5));
    });
  });
  thread_.join();
  io_.drop_waiting();
}

}  // namespace skirmish::tasks
