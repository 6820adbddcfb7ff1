// `skirmish status-worker`: the status refresher alone.
#include "app.hpp"
#include "cli/cli.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/run_loop.hpp"
#include "diagnostics/announcement.hpp"
#include "http/operations_listener.hpp"
#include "status/status.hpp"
#include "status/worker.hpp"

#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

// Without redis.url the worker shares the embedded Redis of a `skirmish serve` on the same data
// directory; it starts none itself.
void report_missing_redis(const config& settings, const redis::connection_config& redis) {
  std::error_code ignored;
  if (!settings.redis.url.empty() || std::filesystem::exists(redis.unix_socket, ignored)) return;
  log::warn("status_worker_without_redis",
            {{"missing", redis.unix_socket},
             {"cure", "set REDIS_URL, or start `skirmish serve` with the same --data-dir"}});
}

void run_worker(const config& settings) {
  const system_clock time;
  metrics::registry metrics;
  db::database db(value_or_usage(database_config_of(settings)));
  const auto redis = value_or_usage(redis_config_of(settings));
  const auto at = value_or_usage(http::parse_endpoint(settings.status.worker_listen));
  std::error_code ignored;
  std::filesystem::create_directories(settings.server.data_dir, ignored);
  status::worker worker(settings, redis, db, time, metrics, true);

  event_loop io{1};
  http::operations_listener operations(io, at, settings, metrics);
  auto health = [&worker, &time](http::exchange&) -> awaitable<http::response> {
    co_return status::health(worker.board(), time);
  };
  operations.routes().add({http::verb::get, "/health", http::access::anyone,
                           "Is the status fresh: ok, stale or error", health});
  asio::signal_set signals(io, SIGINT, SIGTERM);
  task_group group(io);
  auto wait_for_end = [&]() -> awaitable<void> {
    const stop_at_exit end{io};
    co_await signals.async_wait(use_awaitable);
    log::info("stopping");
    co_await operations.stop();
  };

  db.start();
  worker.start();
  worker.database_prepared();  // by whoever migrates it
  log::info("status_worker_started", {{"interval", to_text(settings.status.update_interval)},
                                      {"redis", redis::to_string_masked(redis)},
                                      {"sql", to_string(db.config())}});
  report_missing_redis(settings, redis);
  auto keys = value_or_usage(redis::key_space::of_world(settings.server.world));
  const diagnostics::announcement announced(redis, std::move(keys), "status-worker", 1, metrics);
  operations.start();
  group.spawn("signals", wait_for_end);
  fmt::print("ready http://{}:{}\n", at.address().to_string(), operations.endpoint().port());
  std::fflush(stdout);
  run_loop(io);
  io.drop_waiting();
  worker.stop();
  db.stop();
}

}  // namespace

void add_status_worker(CLI::App& app, int& code) {
  auto* command = app.add_subcommand(
      "status-worker", "Refresh the server status, and nothing else; with /health and /metrics");
  command->footer(
      "Run it beside `skirmish serve --set status.refresher=0`. Of many workers one refreshes; "
      "when "
      "it ends, another takes over.\n"
      "Examples:\n"
      "  REDIS_URL=redis://cache DB_HOST=db DB_USER=game DB_PASSWORD=… skirmish status-worker\n"
      "  skirmish status-worker --set status.probe=a2s://game.example.com:27015");
  auto flags = std::make_shared<config_flags>();
  flags->add_to(*command);
  flags->add(*command, "--listen", "status.worker_listen", "ADDR");
  command->callback([flags, &code] {
    run_worker(flags->load());
    code = done;
  });
}

}  // namespace skirmish::cli
