// Tells Redis and other workers that this worker is alive: its registration, its heartbeat, the
// leases of what it holds, and its farewell.
#pragma once

#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/worker_context.hpp"

#include <string>
#include <vector>

namespace skirmish::tasks {

class heartbeater {
 public:
  heartbeater(worker_context& context, held_jobs& held);

  // Registers the worker and its queues, and sends worker-online.
  awaitable<void> announce();
  // One heartbeat: renews the leases of held messages, and returns the instances of workers that
  // are dead and that nobody else is recovering.
  awaitable<std::vector<std::string>> beat();
  // Sends a worker-heartbeat event; `interval_s` is what it says about the time to the next one.
  void send_event(double interval_s);
  // Sets the gauges, for which it counts the messages that wait in the worker's queues.
  awaitable<void> update_gauges();
  // Sends worker-offline and removes the worker from Redis. What it held must have gone back.
  awaitable<void> say_farewell();

 private:
  [[nodiscard]] std::string event_fields(double interval_s) const;
  [[nodiscard]] double interval_s() const;
  [[nodiscard]] std::string queue_list() const;

  worker_context& context_;
  held_jobs& held_;
};

}  // namespace skirmish::tasks
