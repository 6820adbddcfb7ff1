// The threads that run task functions: up to the concurrency of the worker, but only as many as
// needed are started and woken. One or two threads run hundreds of short tasks; tasks that block
// get threads of their own within a millisecond.
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
  // `run` runs a job and returns false when it was settled elsewhere. `on_done` is called on a
  // thread of the pool when there is something to take, once per batch.
  struct callbacks {
    std::function<bool(job&)> run;
    std::function<void()> on_done;
  };

  thread_pool(std::size_t size, callbacks handlers);
  ~thread_pool();
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  void submit(std::vector<job_ptr>& jobs);  // moves from them; at most size() may be unfinished
  // Takes the jobs that ended since the last call.
  void take_done(std::vector<job_ptr>& into);
  // Wakes (or starts) threads for jobs that still wait. True while some do: call again in a
  // millisecond.
  bool spread();
  void resize(std::size_t size);
  // One thread hangs in a job that was given up: it does not count any more.
  void abandon_one();

  [[nodiscard]] std::size_t size() const;
  // Waits until all threads have ended, at most for `patience`; then they are left behind. For
  // shutdown.
  void stop(std::chrono::milliseconds patience);

 private:
  struct shared;
  static void work(const std::shared_ptr<shared>& in);
  void start_thread();

  std::shared_ptr<shared> shared_;
  std::vector<std::thread> threads_;
};

}  // namespace skirmish::tasks
