// Runs jobs: task functions on the thread pool (or in child processes), coroutines on the loop.
// Enforces time limits, and ends jobs that are revoked or given up.
#pragma once

#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/thread_pool.hpp"
#include "tasks/worker/worker_context.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace skirmish::tasks {

class executor {
 public:
  using clock = std::chrono::steady_clock;

  executor(worker_context& context, held_jobs& held);
  ~executor();
  executor(const executor&) = delete;
  executor& operator=(const executor&) = delete;

  // Runs jobs whose start was confirmed. Each of them is among the ended ones in time: see
  // collect().
  void start(const std::vector<job_ptr>& jobs);
  // Moves the jobs that ended on threads to the stage `ended`.
  void collect();
  // Ends the jobs whose hard time limit has passed, and tells those whose soft limit has.
  void enforce_limits();
  [[nodiscard]] std::optional<clock::time_point> next_limit() const;
  // Settles a running job from outside and frees its slot. Without child processes its thread is
  // left behind.
  void give_up(const job_ptr& j, failure_info why, job_outcome how, int signal_number);
  // For a cold shutdown. Jobs that were acknowledged must not run again, so they fail; the others
  // are given up, and run elsewhere.
  void give_up_all();
  // Nobody hears any more how the running jobs end.
  void disown_all();

  // Wakes threads for jobs that still wait. True while some do: call again in a millisecond.
  bool spread() { return pool_->spread(); }
  void resize(std::size_t concurrency);
  // Moves the concurrency towards the load, within the limits of the configuration.
  void autoscale();
  // Waits until the threads have ended; those that hang in a task are left behind.
  void stop(std::chrono::milliseconds patience) { pool_->stop(patience); }

 private:
  void arm_limits(const job_ptr& j);
  void store_started(const job& j);
  void start_coroutine(const job_ptr& j);

  struct time_limit {
    std::weak_ptr<job> of;
    bool is_hard = false;
    double seconds = 0;
  };
  worker_context& context_;
  held_jobs& held_;
  std::multimap<clock::time_point, time_limit> limits_;
  std::unique_ptr<thread_pool> pool_;
};

}  // namespace skirmish::tasks
