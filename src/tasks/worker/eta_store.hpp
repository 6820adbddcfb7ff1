// Tasks whose eta is far ahead wait in Redis (the sorted set `eta`), not in a worker. Every worker
// puts those back on their queues whose time has come.
#pragma once

#include "core/event.hpp"
#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/worker_context.hpp"

namespace skirmish::tasks {

class eta_store {
 public:
  eta_store(worker_context& context, held_jobs& held);

  // Moves the jobs of the stage `scheduling` to Redis. Those that could not be moved stay in that
  // stage for the next call.
  awaitable<void> store();
  // Puts back what is due, until stop(). Failures are retried.
  awaitable<void> run();
  // Puts back what is due now; when to look again.
  awaitable<std::chrono::milliseconds> release_due();
  void stop();

 private:
  awaitable<bool> store_part(const std::vector<job_ptr>& jobs);

  worker_context& context_;
  held_jobs& held_;
  event wake_;
  bool stopping_ = false;
};

}  // namespace skirmish::tasks
