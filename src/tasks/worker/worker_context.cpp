#include "tasks/worker/worker_context.hpp"

#include "core/ids.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

// Without an answer for this long the connection counts as lost.
constexpr std::chrono::milliseconds answer_timeout = 5s;

worker_config completed(worker_config c, const app::impl& app) {
  if (c.queues.empty()) {
    c.queues.emplace_back(app.options.default_queue, 1);
    c.queues_are_default = true;
  }
  if (c.concurrency == 0) c.concurrency = std::max(1U, std::thread::hardware_concurrency());
  if (c.autoscale_max > 0)
    c.concurrency = std::clamp(c.concurrency, c.autoscale_min, c.autoscale_max);
  if (c.node.empty()) c.node = "skirmish@" + host_name();
  if (c.node.find('@') == std::string::npos) c.node += "@" + host_name();
  return c;
}

task_states states_of(const app::impl& app) {
  task_states out;
  for (const auto& [name, definition] : app.tasks)
    out.emplace(name, std::make_unique<task_state>(definition));
  return out;
}

std::vector<std::string> names_in(const task_states& tasks) {
  std::vector<std::string> out;
  for (const auto& [name, state] : tasks) out.push_back(name);
  return out;
}

std::vector<std::string> names_in(const weighted_queues& queues) {
  std::vector<std::string> out;
  for (const auto& [name, weight] : queues) out.push_back(name);
  return out;
}

}  // namespace

redis::connection_config worker_connection(redis::connection_config from) {
  from.command_timeout = std::max(from.command_timeout, answer_timeout);
  return from;
}

worker_context::worker_context(app::impl& owner, asio::io_context& loop, worker_config given)
    : application(owner),
      io(loop),
      config(completed(std::move(given), owner)),
      instance(random_uuid().substr(24)),
      side(loop, worker_connection(owner.broker), "skirmish-worker-side"),
      background(loop),
      events(config.node),
      tasks(states_of(owner)),
      metrics(config.metrics, names_in(tasks), names_in(config.queues)),
      wake(loop) {
  if (!owner.same_redis)
    separate_results = std::make_unique<redis::client>(loop, worker_connection(owner.results),
                                                       "skirmish-worker-results");
  events.set_enabled(config.events);
}

void worker_context::publish_state(const job& from, std::string document) {
  pending.add_result(keys().result(from.m.id), std::move(document));
  wake.notify_from_thread();
}

void worker_context::publish_event(std::string_view type, std::string_view fields) {
  std::string routing_key(type);
  std::replace(routing_key.begin(), routing_key.end(), '-', '.');
  auto publish = [this, channel = keys().event_channel(routing_key),
                  envelope = events.single(type, fields)]() -> awaitable<void> {
    try {
      co_await side.command("PUBLISH", channel, envelope);
    } catch (const failure&) {
      // The next heartbeat says the same.
    }
  };
  background.spawn("task_event", std::move(publish));
}

std::int64_t worker_context::chord_ttl_s() const noexcept {
  return std::max<std::int64_t>(1, result_ttl_s());
}

std::size_t worker_context::prefetch_limit() const noexcept {
  return std::max<std::size_t>(
      1, config.concurrency * std::max<std::size_t>(1, config.prefetch_multiplier));
}

task_state* worker_context::find_task(std::string_view name) const {
  const auto found = tasks.find(name);
  return found == tasks.end() ? nullptr : found->second.get();
}

}  // namespace skirmish::tasks
