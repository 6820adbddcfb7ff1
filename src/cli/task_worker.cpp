// `skirmish worker`: runs tasks, the built-in ones too.
#include "app.hpp"
#include "builtin_tasks/builtin_service.hpp"
#include "builtin_tasks/builtin_tasks.hpp"
#include "cli/broker_flags.hpp"
#include "cli/task_tools.hpp"
#include "core/log.hpp"
#include "diagnostics/announcement.hpp"
#include "http/operations_listener.hpp"
#include "tasks/worker/worker_main.hpp"

#include <algorithm>
#include <optional>
#include <thread>

namespace skirmish::cli {
namespace {

int work(const broker_flags& broker, tasks::worker_arguments given) {
  const auto settings = broker.settings.load();
  const auto url = broker.resolve();
  const auto redis = redis::parse_url(url);
  if (!redis) throw usage_error{"bad broker URL: " + redis.error().message};
  const auto keys = broker.keys();
  const system_clock time;
  metrics::registry metrics;
  db::database db(value_or_usage(database_config_of(settings)));
  // On a Redis that somebody named, `celery` may be other programs'.
  const bool is_own_redis = broker.url.empty() && settings.redis.url.empty();
  given.default_queues = std::string(is_own_redis ? "celery," : "") + tasks::builtin::queue;

  asio::io_context io(1);
  tasks::app owner(url, builtin_tasks::options_of(keys));
  builtin_tasks::game game(io,
                           {*redis,
                            keys,
                            time,
                            db,
                            {settings.notifications.limit, settings.notifications.text_limit_chars},
                            given.concurrency,
                            {settings.status.webhook_url, settings.status.webhook_secret}});
  game.add_to(owner);
  std::optional<http::operations_listener> operations;
  if (!settings.tasks.worker_listen.empty())
    operations.emplace(io, value_or_usage(http::parse_endpoint(settings.tasks.worker_listen)),
                       settings, metrics);
  db.start();
  tasks::worker_companions beside;
  beside.metrics = &metrics;
  beside.start = [&] {
    game.start();
    if (!operations) return;
    operations->start();
    log::info("task_worker_metrics", {{"port", operations->endpoint().port()}});
  };
  beside.stop = [&]() -> awaitable<void> {
    co_await game.stop();
    if (operations) co_await operations->stop();
  };
  const auto threads = given.concurrency != 0
                           ? given.concurrency
                           : std::max<std::size_t>(1, std::thread::hardware_concurrency());
  const diagnostics::announcement announced(*redis, keys, "worker", threads, metrics);
  const int code = tasks::run_worker(owner, io, given, std::move(beside));
  db.stop();
  return code;
}

}  // namespace

void add_task_worker(CLI::App& app, int& code) {
  auto* c = app.add_subcommand("worker", "Run tasks: the built-in ones, until you register yours");
  auto broker = std::make_shared<broker_flags>();
  auto given = std::make_shared<tasks::worker_arguments>();
  broker->add_to(*c);
  broker->settings.add(*c, "--metrics-listen", "tasks.worker_listen", "ADDR");
  tasks::add_worker_options(*c, *given, "skirmish; on serve's own Redis celery,skirmish");
  c->footer(
      "Examples:\n"
      "  skirmish worker                                     the built-in tasks, on serve's own "
      "Redis\n"
      "  skirmish worker --broker redis://10.0.0.5/0 -c 8    the queue `skirmish` of that Redis\n"
      "  skirmish worker --broker redis://10.0.0.5/0 -Q celery,skirmish -E\n"
      "  skirmish worker --metrics-listen 127.0.0.1:9102");
  c->callback([=, &code] { code = work(*broker, *given); });
}

}  // namespace skirmish::cli
