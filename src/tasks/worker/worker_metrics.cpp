#include "tasks/worker/worker_metrics.hpp"

namespace skirmish::tasks {
namespace {

std::string label(const char* name, std::string_view value) {
  return std::string(name) + "=\"" + metrics::registry::label_value(value) + "\"";
}

const char* label_of(job_outcome how) {
  switch (how) {
    case job_outcome::success: return "succeeded";
    case job_outcome::failure: return "failed";
    case job_outcome::retry: return "retried";
    case job_outcome::ignored: return "ignored";
    case job_outcome::rejected: return "rejected";
    case job_outcome::requeued: return "requeued";
    case job_outcome::revoked: return "revoked";
  }
  return "failed";
}

}  // namespace

worker_metrics::worker_metrics(metrics::registry* to, const std::vector<std::string>& tasks,
                               const std::vector<std::string>& queues) {
  if (to == nullptr) return;
  wait_ = &to->add_histogram("skirmish_task_wait_seconds",
                             "Time from a task's arrival in the worker (or its eta) to its start.");
  dead_letters_ =
      &to->add_counter("skirmish_task_dead_letters_total", "Messages moved to the dead letters.");
  recovered_ = &to->add_counter("skirmish_task_recovered_total",
                                "Messages of dead workers that were put back on their queues.");
  running_ = &to->add_gauge("skirmish_tasks_running", "Tasks that are running.");
  prefetched_ = &to->add_gauge("skirmish_tasks_prefetched",
                               "Messages held by this worker that have not started.");
  for (const auto& name : tasks) {
    auto& one = tasks_[name];
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      one.ended[i] =
          &to->add_counter("skirmish_tasks_total", "Tasks that ended, by outcome.",
                           label("task", name) + "," + label("outcome", label_of(outcomes[i])));
    one.runtime = &to->add_histogram("skirmish_task_runtime_seconds", "How long tasks ran.",
                                     label("task", name));
  }
  for (const auto& name : queues)
    queues_[name] = &to->add_gauge("skirmish_task_queue_messages", "Messages waiting in a queue.",
                                   label("queue", name));
}

void worker_metrics::count(job_outcome how) noexcept {
  totals_.processed.fetch_add(1, std::memory_order_relaxed);
  switch (how) {
    case job_outcome::success: totals_.succeeded.fetch_add(1, std::memory_order_relaxed); break;
    case job_outcome::failure: totals_.failed.fetch_add(1, std::memory_order_relaxed); break;
    case job_outcome::retry: totals_.retried.fetch_add(1, std::memory_order_relaxed); break;
    case job_outcome::revoked: totals_.revoked.fetch_add(1, std::memory_order_relaxed); break;
    case job_outcome::rejected:
    case job_outcome::requeued: totals_.rejected.fetch_add(1, std::memory_order_relaxed); break;
    case job_outcome::ignored: break;
  }
}

void worker_metrics::started(double waited_s) {
  if (wait_) wait_->observe(waited_s);
}

void worker_metrics::ended(const job& j) {
  count(j.ended);
  const auto found = tasks_.find(j.m.task);
  if (found == tasks_.end()) return;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    if (outcomes[i] == j.ended) found->second.ended[i]->add();
  if (j.started_s > 0) found->second.runtime->observe(j.runtime_s);
}

void worker_metrics::dead_letter() {
  totals_.dead_lettered.fetch_add(1, std::memory_order_relaxed);
  if (dead_letters_) dead_letters_->add();
}

void worker_metrics::recovered() {
  totals_.recovered.fetch_add(1, std::memory_order_relaxed);
  if (recovered_) recovered_->add();
}

void worker_metrics::holds(std::size_t running, std::size_t prefetched) {
  if (running_) running_->set(static_cast<std::int64_t>(running));
  if (prefetched_) prefetched_->set(static_cast<std::int64_t>(prefetched));
}

void worker_metrics::waiting(std::string_view queue, std::int64_t messages) {
  if (const auto found = queues_.find(queue); found != queues_.end()) found->second->set(messages);
}

}  // namespace skirmish::tasks
