// The task worker inside `skirmish serve`, on a thread of its own: built-in tasks work out of the
// box.
#pragma once

#include "builtin_tasks/builtin_tasks.hpp"
#include "config.hpp"
#include "core/event.hpp"
#include "core/run_loop.hpp"
#include "metrics/registry.hpp"
#include "tasks/worker/worker.hpp"

#include <thread>

namespace skirmish::builtin_tasks {

class inner_worker {
 public:
  // `settings.tasks.concurrency` must not be 0. References must outlive it.
  inner_worker(const config& settings, const surroundings& of, metrics::registry& metrics);
  ~inner_worker();  // stops
  inner_worker(const inner_worker&) = delete;
  inner_worker& operator=(const inner_worker&) = delete;

  void start();
  // Lets what runs end (for a few seconds; the rest goes back to its queue) and joins the thread.
  void stop();

 private:
  awaitable<void> work();
  [[nodiscard]] tasks::worker_config worker_settings() const;

  const config& settings_;
  metrics::registry& metrics_;
  event_loop io_{1};
  tasks::app app_;
  game game_;
  event stop_requested_;
  tasks::worker* running_ = nullptr;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace skirmish::builtin_tasks
