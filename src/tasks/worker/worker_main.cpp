// `skirmish worker`, and app::worker_main(): a worker as a program.
#include "tasks/worker/worker_main.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/worker/process_pool.hpp"
#include "tasks/worker/worker.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <unistd.h>

#include <csignal>
#include <iostream>

namespace skirmish::tasks {

using namespace std::chrono_literals;

void add_worker_options(CLI::App& to, worker_arguments& into, const std::string& default_queues) {
  to.add_option(
      "-Q,--queues", into.queues,
      "queues to serve, with optional weights: mail,default:3. Default: " + default_queues +
          "; it does not start when workers of another program serve that queue");
  to.add_option("-c,--concurrency", into.concurrency,
                "tasks that may run at once (default: one per core)");
  to.add_option("-n,--hostname", into.node, "node name (default: skirmish@<host>); %h is the host");
  to.add_option("--prefetch-multiplier", into.prefetch_multiplier,
                "messages held per task that may run");
  to.add_option("--autoscale", into.autoscale, "MAX,MIN: grow and shrink the pool with the load");
  to.add_flag("-E,--task-events", into.events, "send task events");
  to.add_flag("--strict", into.strict, "serve the first queue first, always");
  to.add_flag("--sandbox", into.sandbox,
              "run each task in a child process, which time limits and terminate can kill");
  to.add_option("--sandbox-environment", into.sandbox_environment,
                "environment variables that these child processes see; * matches any characters")
      ->type_name("NAMES")
      ->capture_default_str();
  to.add_flag("--without-heartbeat", into.no_heartbeat, "send no worker-heartbeat events");
  to.add_flag("--without-gossip,--without-mingle", into.ignored,
              "accepted for compatibility with Celery, and ignored");
  to.add_option("--shutdown-patience", into.patience,
                "how long a warm shutdown waits for running tasks (default 10m)");
  to.add_option("-l,--loglevel", into.log_level, "debug, info, warn, error or off");
}

namespace {

// Returns nullopt when an argument is invalid, after an error message on standard error.
std::optional<worker_config> configured(const worker_arguments& given) {
  worker_config c;
  c.queues_are_default = given.queues.empty();
  c.queues = parse_queues(c.queues_are_default ? given.default_queues : given.queues);
  c.concurrency = given.concurrency;
  c.node = given.node;
  if (const auto at = c.node.find("%h"); at != std::string::npos)
    c.node.replace(at, 2, host_name());
  c.prefetch_multiplier = given.prefetch_multiplier;
  c.events = given.events;
  c.strict_queues = given.strict;
  c.heartbeat_events = !given.no_heartbeat;
  if (!given.patience.empty()) {
    const auto patience = parse_duration(given.patience);
    if (!patience) {
      std::cerr << "--shutdown-patience is not a duration; write it like 30s or 10m\n";
      return std::nullopt;
    }
    c.shutdown_patience = std::chrono::duration_cast<std::chrono::seconds>(*patience);
  }
  if (!given.autoscale.empty()) {
    const auto comma = given.autoscale.find(',');
    const auto most = parse_integer(given.autoscale.substr(0, comma));
    const auto least = comma == std::string::npos
                           ? 1
                           : parse_integer(given.autoscale.substr(comma + 1)).value_or(-1);
    if (!most || *most < 1 || least < 0 || least > *most) {
      std::cerr << "--autoscale takes MAX,MIN\n";
      return std::nullopt;
    }
    c.autoscale_max = static_cast<std::size_t>(*most);
    c.autoscale_min = static_cast<std::size_t>(std::max<std::int64_t>(1, least));
  }
  std::string level = given.log_level;
  for (auto& letter : level)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (level == "warning") level = "warn";
  if (!log::set_level(level)) {
    std::cerr << "--loglevel is debug, info, warn, error or off\n";
    return std::nullopt;
  }
  return c;
}

}  // namespace

int run_worker(app& owner, asio::io_context& io, const worker_arguments& given,
               worker_companions beside) {
  auto c = configured(given);
  if (!c) return 2;
  std::unique_ptr<process_pool> processes;
  if (given.sandbox) {
    processes = std::make_unique<process_pool>(owner.internals(), given.sandbox_environment);
    c->processes = processes.get();
  }
  c->metrics = beside.metrics;
  worker work(owner.internals(), io, std::move(*c));
  asio::signal_set signals(io, SIGINT, SIGTERM, SIGQUIT);
  std::function<void()> listen = [&] {
    signals.async_wait([&](error_code ec, int number) {
      if (ec) return;
      work.stop(number == SIGQUIT);
      listen();
    });
  };
  listen();
  int code = 0;
  const auto run = [&]() -> awaitable<void> {
    if (beside.start) beside.start();
    std::exception_ptr problem;
    try {
      co_await work.run();
    } catch (const failure&) {
      problem = std::current_exception();
    }
    if (beside.stop) co_await beside.stop();
    if (problem) std::rethrow_exception(problem);
  };
  asio::co_spawn(io, run, [&](const std::exception_ptr& problem) {
    try {
      if (problem) std::rethrow_exception(problem);
    } catch (const std::exception& e) {
      log::error("task_worker_failed", {{"error", e.what()}});
      code = 1;
    }
    signals.cancel();
    io.stop();
  });
  io.run();
  return code;
}

int app::worker_main(int argc, const char* const* argv) {
  CLI::App cli{"A task worker"};
  worker_arguments given;
  add_worker_options(cli, given, impl_->options.default_queue);
  cli.footer(
      "Examples:\n"
      "  PROGRAM -Q mail -c 8\n"
      "  PROGRAM -Q mail:3,default -E");
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? 0 : 2;
  }
  asio::io_context io(1);
  return run_worker(*this, io, given);
}

}  // namespace skirmish::tasks
