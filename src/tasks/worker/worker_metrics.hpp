// What a worker counts: totals for remote control, and metrics for Prometheus when there is a
// registry. Labels are names of registered tasks, and of queues that the worker was started with:
// bounded, whatever clients send.
#pragma once

#include "metrics/registry.hpp"
#include "tasks/worker/job.hpp"

#include <array>
#include <atomic>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

// May be read on any thread.
struct worker_totals {
  std::atomic<std::uint64_t> processed{0}, succeeded{0}, failed{0}, retried{0}, revoked{0},
      rejected{0}, dead_lettered{0}, recovered{0}, cycles{0}, fetched{0};
};

class worker_metrics {
 public:
  // Without a registry only totals are counted.
  worker_metrics(metrics::registry* to, const std::vector<std::string>& tasks,
                 const std::vector<std::string>& queues);

  [[nodiscard]] bool has_registry() const noexcept { return dead_letters_ != nullptr; }
  [[nodiscard]] const worker_totals& totals() const noexcept { return totals_; }

  void started(double waited_s);
  void ended(const job& j);
  void dead_letter();
  void recovered();
  void cycle() noexcept { totals_.cycles.fetch_add(1, std::memory_order_relaxed); }
  void fetched(std::size_t n) noexcept { totals_.fetched.fetch_add(n, std::memory_order_relaxed); }
  // How many jobs the worker holds now.
  void holds(std::size_t running, std::size_t prefetched);
  // How many messages wait in a queue. Queues that the worker was not started with are left out.
  void waiting(std::string_view queue, std::int64_t messages);

 private:
  static constexpr std::array<job_outcome, 7> outcomes{
      job_outcome::success,  job_outcome::failure,  job_outcome::retry,  job_outcome::ignored,
      job_outcome::rejected, job_outcome::requeued, job_outcome::revoked};
  struct per_task {
    std::array<metrics::counter*, outcomes.size()> ended{};
    metrics::histogram* runtime = nullptr;
  };
  void count(job_outcome how) noexcept;

  worker_totals totals_;
  std::map<std::string, per_task, std::less<>> tasks_;
  std::map<std::string, metrics::gauge*, std::less<>> queues_;
  metrics::histogram* wait_ = nullptr;
  metrics::counter* dead_letters_ = nullptr;
  metrics::counter* recovered_ = nullptr;
  metrics::gauge* running_ = nullptr;
  metrics::gauge* prefetched_ = nullptr;
};

}  // namespace skirmish::tasks
