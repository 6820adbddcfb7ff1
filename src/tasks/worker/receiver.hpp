// Decides what becomes of a message that was fetched.
#pragma once

#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/worker_context.hpp"

#include <functional>
#include <string>

namespace skirmish::tasks {

class receiver {
 public:
  // `on_unknown` gets jobs whose task is not registered here.
  receiver(worker_context& context, held_jobs& held, std::function<void(job_ptr)> on_unknown);

  // The message becomes ready, waits for its eta, is unknown, or has ended (expired, unreadable, or
  // too many workers died with it).
  void receive(std::string envelope, std::string tag, std::string queue);

 private:
  worker_context& context_;
  held_jobs& held_;
  std::function<void(job_ptr)> on_unknown_;
};

// Counts and logs the job, and lets the next cycle move it to the dead letters.
void move_to_dead_letters(worker_context& context, held_jobs& held, job_ptr j, std::string reason);

}  // namespace skirmish::tasks
