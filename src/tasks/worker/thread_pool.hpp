// The threads that run task functions: as many as may run at once, but only as many as needed are
// ever awake. No-op tasks in hundreds are done by a thread or two; tasks that block get threads of
// their own within a millisecond.
#pragma once

#include "tasks/worker/job.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace skirmish::tasks {

class thread_pool {
 public:
  // `run` runs a job and returns false when it was settled elsewhere; `on_done` is called on the
  // pool's thread, once a job that it ran, in batches.
  struct callbacks {
    std::function<bool(job&)> run;
    std::function<void()> on_done;  // there is something to take
  };

  thread_pool(std::size_t size, callbacks handlers);
  ~thread_pool();
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  void submit(std::vector<job_ptr>& jobs);  // takes them; at most size() may be unfinished
  // Jobs that ended since the last call.
  void take_done(std::vector<job_ptr>& into);
  // Wakes (or starts) threads for jobs that still wait. True while some do: call again in a
  // millisecond.
  bool spread();
  void resize(std::size_t size);
  // One thread is lost to a job that does not end: it does not count any more.
  void abandon_one();

  [[nodiscard]] std::size_t size() const;
  // Waits until all threads have ended; those that hang in a task are given up. For shutdown.
  void stop(std::chrono::milliseconds patience);

 private:
  struct shared;
  static void work(const std::shared_ptr<shared>& in);
  void start_thread();

  std::shared_ptr<shared> shared_;
  std::vector<std::thread> threads_;
};

}  // namespace skirmish::tasks
