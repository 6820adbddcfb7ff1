// For tests of a task worker's parts without a worker: tasks, messages and jobs.
#pragma once

#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/worker_context.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace skirmish::testing {

// The tasks that these tests use: "add" (acknowledged early), "late", "rare" (once per hour in a
// worker), "shared" (once per hour in all of them).
inline void add_tasks(tasks::app& app) {
  const auto add = [](int a, int b) { return a + b; };
  app.task("add", add);
  app.task("late", add, {.acks_late = true});
  app.task("rare", add, {.rate_limit = "1/h"});
  app.task("shared", add, {.global_rate_limit = "1/h"});
}

// An app with these tasks, whose Redis need not exist as long as nothing connects.
class app_with_tasks : public tasks::app {
 public:
  app_with_tasks() : tasks::app("redis://127.0.0.1:1/0") { add_tasks(*this); }
};

inline tasks::worker_config part_config() {
  tasks::worker_config c;
  c.queues = {{"q", 1}};
  c.concurrency = 2;
  c.node = "part@test";
  return c;
}

// A message of queue "q" that calls `task` with 1 and 2.
inline tasks::outgoing call_of(std::string task, std::string id) {
  tasks::outgoing m;
  m.task = std::move(task);
  m.id = std::move(id);
  m.queue = "q";
  m.args = {1, 2};
  return m;
}

inline std::string envelope_of(const tasks::outgoing& m) {
  std::string out;
  tasks::append_task_envelope(out, m);
  return out;
}

// Polls until it is true, at most a minute.
inline bool comes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// A job as the receiver makes it, with tag "tag-<id>".
inline tasks::job_ptr job_of(tasks::worker_context& context, std::string envelope) {
  auto j = std::make_shared<tasks::job>(context, std::move(envelope));
  if (!tasks::parse_envelope(j->m)) throw std::runtime_error("the test made a bad envelope");
  j->m.tag = "tag-" + std::string(j->m.id);
  j->m.queue = "q";
  j->task = context.find_task(j->m.task);
  j->acks_late = j->task && j->task->definition->options.acks_late;
  return j;
}
inline tasks::job_ptr job_of(tasks::worker_context& context, const tasks::outgoing& m) {
  return job_of(context, envelope_of(m));
}

}  // namespace skirmish::testing
