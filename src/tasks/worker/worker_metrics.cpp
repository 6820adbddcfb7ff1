#include "tasks/worker/worker_metrics.hpp"

namespace skirmish::tasks {
namespace {

std::string label(const char* name, std::string_view value) {
  return std::string(name) + "=\"" + metrics::registry::label_value(value) + "\"";
}

const char* word(outcome how) {
  switch (how) {
    case outcome::success: return "succeeded";
    case outcome::failure: return "failed";
    case outcome::retry: return "retried";
    case outcome::ignored: return "ignored";
    case outcome::rejected: return "rejected";
    case outcome::requeued: return "requeued";
    case outcome::revoked: return "revoked";
  }
  return "failed";
}

}  // namespace

worker_metrics::worker_metrics(metrics::registry& to, const std::vector<std::string>& tasks,
                               const std::vector<std::string>& queues)
    : wait_(to.add_histogram("skirmish_task_wait_seconds",
                             "From a task's arrival in the worker (or its eta) to its start.")),
      dead_letters_(to.add_counter("skirmish_task_dead_letters_total",
                                   "Messages moved to the dead letters.")),
      recovered_(to.add_counter("skirmish_task_recovered_total",
                                "Messages of dead workers that were given back.")),
      running_(to.add_gauge("skirmish_tasks_running", "Tasks that run.")),
      prefetched_(
          to.add_gauge("skirmish_tasks_prefetched", "Messages held that have not started.")) {
  for (const auto& name : tasks) {
    auto& one = tasks_[name];
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      one.ended[i] =
          &to.add_counter("skirmish_tasks_total", "Tasks that ended, by how.",
                          label("task", name) + "," + label("outcome", word(outcomes[i])));
    one.runtime = &to.add_histogram("skirmish_task_runtime_seconds", "How long tasks ran.",
                                    label("task", name));
  }
  for (const auto& name : queues)
    queues_[name] = &to.add_gauge("skirmish_task_queue_messages", "Messages that wait in a queue.",
                                  label("queue", name));
}

void worker_metrics::ended(const job& j) {
  const auto found = tasks_.find(j.m.task);
  if (found == tasks_.end()) return;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    if (outcomes[i] == j.ended) found->second.ended[i]->add();
  if (j.started_s > 0) found->second.runtime->observe(j.runtime_s);
}

void worker_metrics::holds(std::size_t running, std::size_t prefetched) {
  running_.set(static_cast<std::int64_t>(running));
  prefetched_.set(static_cast<std::int64_t>(prefetched));
}

void worker_metrics::waiting(std::string_view queue, std::int64_t messages) {
  if (const auto found = queues_.find(queue); found != queues_.end()) found->second->set(messages);
}

}  // namespace skirmish::tasks
