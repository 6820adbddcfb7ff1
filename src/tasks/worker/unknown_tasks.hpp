// Messages of tasks that are not registered here. They belong to the workers that know them: when
// another worker of the same queue has registered the name, they go back to the end of the queue, a
// little later each time. What no worker knows becomes a dead letter.
#pragma once

#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/worker_context.hpp"

#include <chrono>
#include <map>
#include <set>
#include <string>

namespace skirmish::tasks {

class unknown_tasks {
 public:
  unknown_tasks(worker_context& context, held_jobs& held);

  // Throws conflict when a queue that the user did not choose is served by another program.
  awaitable<void> check_default_queues();
  // Holds the job and asks the other workers in the background. Then it is `returning`, or a dead
  // letter.
  void add(job_ptr j);
  // No more may be fetched for now. They do not count as prefetched, because other work must not
  // wait behind them.
  [[nodiscard]] bool is_full() const noexcept;
  // Writes how many were returned to the worker's registration, for `skirmish task doctor`.
  awaitable<void> publish_count();
  void stop() noexcept { stopping_ = true; }

 private:
  using clock = std::chrono::steady_clock;
  struct peer {
    std::set<std::string> tasks, queues;
  };
  awaitable<void> ask_peers();
  [[nodiscard]] std::string node_that_knows(const job& j) const;
  awaitable<void> place_all();
  void log_return(const job& j, const std::string& node);
  void refuse(job_ptr j, const std::string& node);

  worker_context& context_;
  held_jobs& held_;
  std::map<std::string, peer> peers_;  // by node
  clock::time_point peers_asked_{};
  bool placing_ = false;
  bool stopping_ = false;
  std::int64_t returned_ = 0, published_ = 0;
  std::map<std::string, clock::time_point> logged_;  // by task: when a return was logged last
};

}  // namespace skirmish::tasks
