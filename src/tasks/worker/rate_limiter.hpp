// Rate limits that all workers share, granted by Redis (rate.lua). What one worker alone allows is
// rate_limit in task_state.hpp.
#pragma once

#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/worker_context.hpp"

namespace skirmish::tasks {

class rate_limiter {
 public:
  rate_limiter(worker_context& context, held_jobs& held);

  // Asks Redis for the ready jobs whose task has a shared limit: some are granted, the rest wait.
  // While Redis does not answer they wait too.
  awaitable<void> grant_shared();

 private:
  struct answer {
    std::int64_t granted = 0;
    milliseconds wait{1000};
  };
  awaitable<answer> ask(const task_state& task, std::size_t wanted);

  worker_context& context_;
  held_jobs& held_;
};

}  // namespace skirmish::tasks
