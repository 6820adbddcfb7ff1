#include "tasks/worker/worker.hpp"

#include "core/log.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker/process_pool.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ranges>
#include <thread>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

// A turn's reply comes within this, or the connection is taken as lost.
constexpr auto turn_timeout = 5s;
constexpr auto longest_rest = 1s;

redis::connection_config for_turns(redis::connection_config from) {
  from.command_timeout = std::max<std::chrono::milliseconds>(from.command_timeout, turn_timeout);
  return from;
}

worker_config completed(worker_config c, const app::impl& owner) {
  if (c.queues.empty()) {
    c.queues.emplace_back(owner.options.default_queue, 1);
    c.queues_are_default = true;
  }
  if (c.concurrency == 0) c.concurrency = std::max(1U, std::thread::hardware_concurrency());
  if (c.autoscale_max > 0)
    c.concurrency = std::clamp(c.concurrency, c.autoscale_min, c.autoscale_max);
  if (c.node.empty()) c.node = "skirmish@" + host_name();
  if (c.node.find('@') == std::string::npos) c.node += "@" + host_name();
  return c;
}

}  // namespace

worker::worker(app::impl& owner, asio::io_context& io, worker_config config)
    : app_(owner),
      io_(io),
      config_(completed(std::move(config), owner)),
      instance_(new_uuid().substr(24)),
      tag_prefix_("skirmish:" + instance_ + ":"),
      data_(io, for_turns(owner.broker), "skirmish-worker"),
      side_(io, for_turns(owner.broker), "skirmish-worker-side"),
      subscriber_(io, owner.broker, "skirmish-worker-control"),
      group_(io),
      events_(config_.node),
      wake_(io, steady::time_point::max()),
      eta_wake_(io, steady::time_point::max()) {
  if (!owner.same_redis)
    results_ =
        std::make_unique<redis::client>(io, for_turns(owner.results), "skirmish-worker-results");
  events_.set_enabled(config_.events);
  for (const auto& [name, definition] : owner.tasks) {
    auto state = std::make_unique<task_state>();
    const auto& options = definition->options;
    const auto seconds = [](const std::optional<milliseconds>& ms) -> std::optional<double> {
      if (!ms) return std::nullopt;
      return static_cast<double>(ms->count()) / 1000.0;
    };
    state->definition = definition;
    state->rate_limit = options.rate_limit;
    state->rate_interval_s = parse_rate_interval_s(options.rate_limit).value_or(0);
    state->global_interval_s = parse_rate_interval_s(options.global_rate_limit).value_or(0);
    state->soft_limit_s = seconds(options.soft_time_limit);
    state->hard_limit_s = seconds(options.time_limit);
    task_states_.emplace(name, std::move(state));
  }
  if (config_.metrics) {
    std::vector<std::string> tasks, queues;
    for (const auto& [name, state] : task_states_) tasks.push_back(name);
    for (const auto& [name, weight] : config_.queues) queues.push_back(name);
    metrics_ = std::make_unique<worker_metrics>(*config_.metrics, tasks, queues);
  }
  auto run = [this](job& j) {
    return config_.in_sandbox ? config_.in_sandbox->run(j) : run_job(j);
  };
  auto on_done = [this] {
    if (!woken_.exchange(true)) asio::post(io_, [this] { wake(); });
  };
  pool_ = std::make_unique<thread_pool>(config_.concurrency,
                                        thread_pool::callbacks{std::move(run), std::move(on_done)});
}

worker::~worker() {
  disown_running();
  pool_->stop(0ms);
}

// Whatever still runs ends for nobody: it must not come back to a worker that is gone.
void worker::disown_running() {
  for (const auto& [tag, j] : running_) {
    j->aborted = true;
    j->settled = true;
  }
}

std::size_t worker::prefetch_limit() const {
  return std::max<std::size_t>(
      1, config_.concurrency * std::max<std::size_t>(1, config_.prefetch_multiplier));
}

void worker::wake() { wake_.cancel(); }

// Sleeps until something happens, or until the next thing that waits for its time.
awaitable<void> worker::rest() {
  auto until = steady::now() + longest_rest;
  if (!waiting_.empty()) until = std::min(until, waiting_.begin()->first);
  if (!limits_.empty()) until = std::min(until, limits_.begin()->first);
  if (!returning_.empty()) until = std::min(until, returning_.begin()->first);
  wake_.expires_at(until);
  if (woken_.exchange(false)) co_return;
  error_code ignored;
  co_await wake_.async_wait(asio::redirect_error(use_awaitable, ignored));
  woken_ = false;
  // A safeguard for servers without tracking, and against a lost notice.
  if (!ignored) more_may_wait_ = true;
}

void worker::publish_state(const job& from, std::string document) {
  {
    const std::lock_guard lock(states_mutex_);
    states_.emplace_back(app_.keys.result(from.m.id), std::move(document));
  }
  if (!woken_.exchange(true)) asio::post(io_, [this] { wake(); });
}

void worker::subscribe_control() {
  redis::listener who;
  who.on_message = [this](std::string_view, std::string_view envelope) { on_control(envelope); };
  control_ = subscriber_.subscribe_pattern(app_.keys.pidbox(), std::move(who));
}

awaitable<void> worker::announce() {
  redis::request hello;
  const auto node_key = app_.keys.own("worker:", instance_);
  std::string queues;
  for (const auto& [name, weight] : config_.queues) queues += (queues.empty() ? "" : ",") + name;
  hello.push("HSET", node_key, "node", config_.node, "host", host_name(), "pid", ::getpid(),
             "queues", queues, "started", fmt::format("{:.3f}", to_unix_s(wall_now())), "instance",
             instance_);
  hello.push("EXPIRE", node_key, 86400);
  hello.push("SADD", app_.keys.binding("celery.pidbox"),
             fmt::format("{}{}{}.celery.pidbox", separator, separator, config_.node));
  for (const auto& [name, weight] : config_.queues)
    hello.push("SADD", app_.keys.binding(name),
               fmt::format("{}{}{}{}", name, separator, separator, name));
  redis::checked(co_await side_.exec(std::move(hello)));
  send_event("worker-online", worker_fields());
}

awaitable<void> worker::run() {
  redis::client::events on_data;
  on_data.on_connected = [this] {
    more_may_wait_ = true;
    // Named: g++ 12 and lambdas inside co_await do not get on.
    auto track = [this]() -> awaitable<void> {
      // A server that does not know tracking (a proxy) is polled once a second instead. What this
      // worker sends to its own queues must be told, too: no NOLOOP.
      auto told = co_await data_.command("CLIENT", "TRACKING", "ON", "OPTIN");
      if (told.is_error()) log::warn("task_worker_polls", {{"error", told.as_string()}});
      more_may_wait_ = true;
      wake();
    };
    group_.spawn("task_tracking", track);
  };
  on_data.on_push = [this](const redis::value& push) {
    if (push.size() < 2 || push[0].as_string() != "invalidate") return;
    more_may_wait_ = true;
    if (!woken_.exchange(true)) wake();
  };
  data_.set_events(std::move(on_data));
  task_group connections(io_);
  connections.spawn("task_data", [this] { return data_.run(); });
  connections.spawn("task_side", [this] { return side_.run(); });
  connections.spawn("task_control", [this] { return subscriber_.run(); });
  if (results_) connections.spawn("task_results", [this] { return results_->run(); });
  std::exception_ptr problem;
  try {
    co_await work();
  } catch (...) {
    problem = std::current_exception();
  }
  co_await wind_down(connections);
  if (problem) std::rethrow_exception(problem);
}

awaitable<void> worker::work() {
  co_await data_.wait_connected(10s);
  co_await side_.wait_connected(10s);
  subscribe_control();
  co_await control_.confirmed(10s);
  co_await check_default_queues();
  co_await load_revoked();
  co_await beat_once();
  co_await announce();
  group_.keep_running("task_heartbeat", [this] { return heartbeat_loop(); });
  group_.keep_running("task_etas", [this] { return eta_loop(); });
  group_.keep_running("task_janitor", [this] { return janitor_loop(); });
  std::string queues;
  for (const auto& [name, weight] : config_.queues) queues += (queues.empty() ? "" : ",") + name;
  log::info("task_worker_ready", {{"node", config_.node},
                                  {"instance", instance_},
                                  {"queues", queues},
                                  {"concurrency", config_.concurrency},
                                  {"tasks", task_states_.size()}});
  co_await turn_loop();
  co_await say_farewell();
}

void worker::stop(bool cold) {
  cold_ = cold_ || cold || stopping_;
  if (!stopping_) {
    log::info("task_worker_stopping", {{"node", config_.node}, {"running", running_.size()}});
    stopping_ = true;
    // Also when the turn hangs because Redis is away.
    auto patience = [this]() -> awaitable<void> {
      asio::steady_timer timer(io_, config_.shutdown_patience);
      co_await timer.async_wait(use_awaitable);
      stop(true);
    };
    group_.spawn("task_patience", std::move(patience));
  }
  wake();
}

// What is held and has not started goes back to the serving end, in its order.
awaitable<void> worker::give_back_held() {
  std::vector<job_ptr> held(ready_.begin(), ready_.end());
  for (const auto& [at, j] : waiting_) held.push_back(j);
  for (const auto& j : strangers_) held.push_back(j);
  for (const auto& [at, j] : returning_) held.push_back(j);
  waiting_.clear();
  ready_.clear();
  strangers_.clear();
  returning_.clear();
  waiting_count_ = 0;
  for (const auto& j : given_up_) held.push_back(j);
  given_up_.clear();
  std::vector<std::string> args;
  for (const auto& j : std::views::reverse(held)) {
    const auto& m = j->m;
    envelope_edit edit;
    edit.mark_redelivered = true;
    auto again = edit_envelope(m.raw, edit);
    args.insert(args.end(), {m.tag, "serve", app_.keys.queue(m.queue, priority_step(m.priority)),
                             again ? *again : m.raw});
  }
  const auto unacked = app_.keys.unacked();
  const auto index = app_.keys.unacked_index();
  const std::vector<std::string_view> keys{unacked, index};
  for (std::size_t from = 0; from < args.size(); from += 400) {
    const std::vector<std::string_view> part(
        args.begin() + static_cast<std::ptrdiff_t>(from),
        args.begin() + static_cast<std::ptrdiff_t>(std::min(from + 400, args.size())));
    redis::checked(co_await side_.eval(scripts::put_back, keys, part));
  }
  if (!held.empty()) log::info("task_worker_gave_back", {{"messages", held.size()}});
}

awaitable<void> worker::say_farewell() {
  try {
    co_await give_back_held();
    redis::request bye;
    bye.push("PUBLISH", app_.keys.event_channel("worker.offline"),
             events_.single("worker-offline", worker_fields()));
    bye.push("SREM", app_.keys.binding("celery.pidbox"),
             fmt::format("{}{}{}.celery.pidbox", separator, separator, config_.node));
    bye.push("DEL", app_.keys.prefix + config_.node + ".celery.pidbox");
    bye.push("ZREM", app_.keys.own("workers"), instance_);
    bye.push("DEL", app_.keys.own("worker:", instance_), app_.keys.own("running:", instance_));
    redis::checked(co_await side_.exec(std::move(bye)));
  } catch (const failure& e) {
    // Another worker recovers what this one held.
    log::warn("task_worker_farewell_failed", {{"error", e.what()}});
  }
}

awaitable<void> worker::wind_down(task_group& connections) {
  ended_ = true;
  eta_wake_.cancel();
  group_.close();
  co_await group_.wait(5s);
  control_.end();
  disown_running();
  pool_->stop(cold_ ? 0ms : 1000ms);
  data_.stop();
  side_.stop();
  if (results_) results_->stop();
  subscriber_.stop();
  co_await connections.wait(5s);
  connections.close();
  co_await connections.wait(2s);
  log::info("task_worker_stopped",
            {{"node", config_.node}, {"processed", processed_}, {"turns", totals_.turns.load()}});
}

}  // namespace skirmish::tasks
