// The command line of a worker, shared by app::worker_main() and `skirmish worker`.
#pragma once

#include "skirmish/tasks.hpp"

#include <string>

namespace CLI {
class App;
}

namespace skirmish::tasks {

struct worker_arguments {
  std::string queues, node, autoscale, patience;
  std::string log_level = "info";
  std::size_t concurrency = 0;
  std::size_t prefetch_multiplier = 4;
  bool events = false, strict = false, sandbox = false, no_heartbeat = false, ignored = false;
};

void add_worker_options(CLI::App& to, worker_arguments& into);
// Runs until SIGINT or SIGTERM (a second one, or SIGQUIT, ends it cold). Returns the exit code.
int run_worker(app& owner, const worker_arguments& given);

}  // namespace skirmish::tasks
