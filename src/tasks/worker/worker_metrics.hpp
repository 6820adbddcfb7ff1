// What a worker counts, for Prometheus. Labels are names of registered tasks, and of queues that
// the worker was started with: bounded, whatever clients send.
#pragma once

#include "metrics/registry.hpp"
#include "tasks/worker/job.hpp"

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

class worker_metrics {
 public:
  worker_metrics(metrics::registry& to, const std::vector<std::string>& tasks,
                 const std::vector<std::string>& queues);

  void ended(const job& j);
  void started(double waited_s) { wait_.observe(waited_s); }
  void dead_letter() { dead_letters_.add(); }
  void recovered() { recovered_.add(); }
  // What the worker holds now.
  void holds(std::size_t running, std::size_t prefetched);
  // Messages that wait in a queue; of queues that it was not started with nothing is noted.
  void waiting(std::string_view queue, std::int64_t messages);

 private:
  static constexpr std::array<outcome, 7> outcomes{
      outcome::success,  outcome::failure,  outcome::retry,  outcome::ignored,
      outcome::rejected, outcome::requeued, outcome::revoked};
  struct per_task {
    std::array<metrics::counter*, outcomes.size()> ended{};
    metrics::histogram* runtime = nullptr;
  };

  std::map<std::string, per_task, std::less<>> tasks_;
  std::map<std::string, metrics::gauge*, std::less<>> queues_;
  metrics::histogram& wait_;
  metrics::counter& dead_letters_;
  metrics::counter& recovered_;
  metrics::gauge& running_;
  metrics::gauge& prefetched_;
};

}  // namespace skirmish::tasks
