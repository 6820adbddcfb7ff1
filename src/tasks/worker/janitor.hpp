// Removes what clients and workers that died leave behind in Redis.
#pragma once

#include "tasks/worker/recoverer.hpp"
#include "tasks/worker/worker_context.hpp"

#include <chrono>
#include <string>
#include <unordered_map>

namespace skirmish::tasks {

class janitor {
 public:
  janitor(worker_context& context, recoverer& recovers);

  // One pass over everything below, a bounded part of each.
  awaitable<void> sweep();

 private:
  using clock = std::chrono::steady_clock;
  awaitable<void> sweep_stale_messages();
  awaitable<void> sweep_reply_queues();
  awaitable<void> sweep_monitors();
  awaitable<void> trim_dead_letters();
  awaitable<std::chrono::seconds> idle_time(const std::string& binding, const std::string& list);

  worker_context& context_;
  recoverer& recoverer_;
  std::unordered_map<std::string, clock::time_point> without_list_;  // bindings, since when
};

}  // namespace skirmish::tasks
