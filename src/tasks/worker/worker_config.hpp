// How a task worker is set up.
#pragma once

#include "metrics/registry.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::tasks {

class process_pool;

// The most messages that one worker cycle fetches.
inline constexpr std::size_t worker_fetch_limit = 1000;

using weighted_queues = std::vector<std::pair<std::string, int>>;  // name, weight

struct worker_config {
  weighted_queues queues;           // empty: the app's default queue
  bool queues_are_default = false;  // not chosen by the user: queues of other programs are refused
  bool strict_queues = false;       // the first queue is always served first
  std::size_t concurrency = 0;      // tasks that run at once; 0: one per core
  std::size_t prefetch_multiplier = 4;               // messages held per task that may run
  std::string node;                                  // default: skirmish@<host>
  bool events = false;                               // task events; worker events are always sent
  bool heartbeat_events = true;                      // worker-heartbeat events
  std::size_t autoscale_max = 0, autoscale_min = 0;  // 0: the concurrency is fixed
  std::chrono::seconds shutdown_patience{600};       // a warm shutdown turns cold after this
  std::chrono::milliseconds heartbeat_interval{
      2'000};                                       // also how often dead workers are looked for
  std::chrono::milliseconds dead_after{10'000};     // a worker silent for so long is dead
  std::chrono::milliseconds lease_refresh{60'000};  // age at which a held message is refreshed
  std::chrono::milliseconds near_eta{1'500};  // an eta nearer than this waits here, not in Redis
  std::chrono::milliseconds janitor_interval{10'000};
  std::chrono::seconds reply_idle_limit{300};  // a reply queue unused for so long is abandoned
  int poison_limit = 3;  // workers that may die with a message before it is a dead letter
  process_pool* processes = nullptr;     // runs task functions in child processes, if set
  metrics::registry* metrics = nullptr;  // where the worker counts, if anywhere
};

}  // namespace skirmish::tasks
