// The command line of a worker, shared by app::worker_main() and `skirmish worker`.
#pragma once

#include "core/asio.hpp"
#include "metrics/registry.hpp"
#include "skirmish/tasks.hpp"
#include "tasks/queue_list.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace skirmish::tasks {

struct worker_arguments {
  std::string queues, node, autoscale, patience;
  std::string default_queues;  // served when `queues` is empty. Both empty: the app's default queue
  std::string log_level = "info";
  std::string sandbox_environment = "PATH,HOME,USER,LANG,LC_*,TZ,TMPDIR";
  std::size_t concurrency = 0;
  std::size_t prefetch_multiplier = 4;
  bool events = false, strict = false, sandbox = false, no_heartbeat = false, ignored = false;
};

// `default_queues` is shown in the help as what is served without -Q.
void add_worker_options(CLI::App& to, worker_arguments& into, const std::string& default_queues);

// What runs beside the worker, on its loop.
struct worker_companions {
  metrics::registry* metrics = nullptr;
  // Called before the worker starts, and when it has ended.
  std::function<void()> start = nullptr;
  std::function<awaitable<void>()> stop = nullptr;
};
// Runs until SIGINT or SIGTERM (a second one, or SIGQUIT, ends it cold). Returns the exit code.
int run_worker(app& owner, asio::io_context& io, const worker_arguments& given,
               worker_companions beside = {});

}  // namespace skirmish::tasks
