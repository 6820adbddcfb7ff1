// Recovers what dead workers held: messages go back to their queues, and tasks that were
// acknowledged when they started are reported as lost.
#pragma once

#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/worker_context.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::tasks {

class recoverer {
 public:
  recoverer(worker_context& context, held_jobs& held);

  // Recovers one instance. It stays in the list of workers until everything has been written, so
  // that another worker finishes what this one leaves undone.
  awaitable<void> recover(std::string instance);

  using tagged_payloads = std::vector<std::pair<std::string, std::string>>;  // tag, payload
  // Puts held messages back on their queues. Those in `started` may have killed their worker: they
  // are counted, and become dead letters when that has happened too often.
  awaitable<void> put_back_held(tagged_payloads held, const std::set<std::string>& started);

 private:
  awaitable<void> report_lost(std::vector<std::pair<std::string, std::string>> records);
  void fail_lost(const json_object& record);

  worker_context& context_;
  held_jobs& held_;
};

}  // namespace skirmish::tasks
