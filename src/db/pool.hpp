// The threads behind `database`, for this folder's own use.
#pragma once

#include "core/event.hpp"
#include "db/config.hpp"
#include "db/database.hpp"
#include "db/session.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace skirmish::db {

using work_function = std::function<void(soci::session&)>;

// One piece of work and the caller that may still wait for it.
class queued_work {
 public:
  // `wake` belongs to the caller: it is set on the caller's loop when the work is done.
  queued_work(work_function work, retry on_loss, std::shared_ptr<event> wake);

  // For the pool's threads.
  void run(soci::session& sql) { work_(sql); }
  [[nodiscard]] bool may_retry() const noexcept { return on_loss_ == retry::safe; }
  [[nodiscard]] bool is_abandoned();
  void finish(std::exception_ptr problem);

  // For the caller.
  void abandon();
  // True when the work is done; throws what it threw.
  bool take();

 private:
  work_function work_;
  retry on_loss_;

  std::mutex mutex_;  // guards what follows
  std::shared_ptr<event> wake_;
  bool is_done_ = false;
  std::exception_ptr problem_;
};

// Keeps a server that is down from costing each piece of work a connect timeout: after a failed
// attempt every attempt is refused for a moment, then one thread at a time may try. Thread-safe.
class connect_gate {
 public:
  // Every call that returns true is followed by succeeded() or failed().
  bool try_enter();
  void succeeded();
  // True when the server was thought to be up until now.
  bool failed();

 private:
  std::mutex mutex_;
  bool is_down_ = false;
  bool is_probing_ = false;
  std::chrono::steady_clock::time_point refused_until_;
};

class pool {
 public:
  explicit pool(db::config config);
  ~pool() { stop(std::chrono::milliseconds{0}); }

  void start();
  void stop(std::chrono::milliseconds grace);
  // Throws failure{unavailable} when the pool does not run or its queue is full.
  void submit(std::shared_ptr<queued_work> job);

  [[nodiscard]] const db::config& config() const noexcept { return config_; }

 private:
  void serve(session& session);
  // Waits for work; null when the pool stops.
  std::shared_ptr<queued_work> next(session& session);
  // For a thread that cannot connect while others are connected (a server may limit its sessions):
  // leaves the work to them and rests, for it would fail quickly and so take most of the queue.
  bool hand_back(const std::shared_ptr<queued_work>& job);
  // These two return what went wrong.
  std::exception_ptr perform(session& session, queued_work& job);
  std::exception_ptr connect(session& session);
  static void clean_up(session& session, bool is_broken) noexcept;
  // Cuts work that is past its limit.
  void watch();

  const db::config config_;
  connect_gate gate_;
  std::vector<std::unique_ptr<session>> sessions_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_arrived_;
  std::condition_variable state_changed_;
  std::deque<std::shared_ptr<queued_work>> queue_;
  bool is_running_ = false;
  std::size_t serving_ = 0;  // threads that may still run work
};

}  // namespace skirmish::db
