#include "tasks/worker/heartbeater.hpp"

#include "redis/views.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace skirmish::tasks {
namespace {

constexpr auto registration_ttl_s = 86'400;
// A recovery that takes longer than this is tried by another worker.
constexpr std::string_view recovery_patience_s = "5";

double seconds_of(std::chrono::duration<double> d) { return d.count(); }

}  // namespace

heartbeater::heartbeater(worker_context& context, held_jobs& held)
    : context_(context), held_(held) {}

double heartbeater::interval_s() const { return seconds_of(context_.config.heartbeat_interval); }

std::string heartbeater::queue_list() const {
  std::string out;
  for (const auto& [name, weight] : context_.config.queues) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::string heartbeater::event_fields(double interval_s) const {
  double load[3] = {0, 0, 0};
  static_cast<void>(getloadavg(load, 3));
  return fmt::format(
      R"(, "freq": {:.1f}, "active": {}, "processed": {}, "loadavg": [{:.2f}, {:.2f}, {:.2f}], )"
      R"("sw_ident": "skirmish", "sw_ver": "{}", "sw_sys": "Linux")",
      interval_s, held_.occupied(), context_.metrics.totals().processed.load(), load[0], load[1],
      load[2], SKIRMISH_VERSION);
}

awaitable<void> heartbeater::announce() {
  const auto& names = context_.keys();
  const auto& config = context_.config;
  redis::request hello;
  hello.push("HSET", context_.worker_key(), "node", config.node, "host", host_name(), "pid",
             ::getpid(), "queues", queue_list(), "started",
             fmt::format("{:.3f}", to_unix_s(wall_now())), "instance", context_.instance);
  hello.push("EXPIRE", context_.worker_key(), registration_ttl_s);
  hello.push("SADD", names.binding("celery.pidbox"),
             binding_member("", config.node + ".celery.pidbox"));
  for (const auto& [name, weight] : config.queues) {
    hello.push("SADD", names.binding(name), binding_member(name, name));
    hello.push("SADD", names.own("queues"), name);
  }
  redis::checked(co_await context_.side.exec(std::move(hello)));
  context_.publish_event("worker-online", event_fields(interval_s()));
}

awaitable<std::vector<std::string>> heartbeater::beat() {
  const auto& names = context_.keys();
  const auto& config = context_.config;
  const auto renewed = held_.renew_leases(unix_now_s(), seconds_of(config.lease_refresh));
  const auto workers = names.own("workers"), index = names.unacked_index(),
             self = context_.worker_key(), running = context_.running_key();
  const auto dead_after = fmt::format("{:.3f}", seconds_of(config.dead_after));
  const std::vector<std::string_view> keys{workers, index, self, running};
  std::vector<std::string_view> args{context_.instance, dead_after, recovery_patience_s};
  args.insert(args.end(), renewed.begin(), renewed.end());
  const auto reply = redis::checked(co_await context_.side.eval(scripts::heartbeat, keys, args));
  auto dead = reply.as_strings();
  std::erase(dead, context_.instance);
  co_return dead;
}

void heartbeater::send_event(double interval_s) {
  context_.publish_event("worker-heartbeat", event_fields(interval_s));
}

awaitable<void> heartbeater::update_gauges() {
  context_.metrics.holds(held_.occupied(), held_.count(job_stage::ready) +
                                               held_.count(job_stage::delayed) +
                                               held_.count(job_stage::rate_limited));
  const auto queues = context_.config.queues;
  if (queues.empty()) co_return;
  redis::request ask;
  for (const auto& [name, weight] : queues)
    for (const int step : priority_steps) ask.push("LLEN", context_.keys().queue(name, step));
  const auto lengths = redis::checked(co_await context_.side.exec(std::move(ask)));
  for (std::size_t i = 0; i < queues.size(); ++i) {
    std::int64_t waiting = 0;
    for (std::size_t k = 0; k < priority_steps.size(); ++k)
      waiting += lengths.at(i * priority_steps.size() + k).as_integer().value_or(0);
    context_.metrics.waiting(queues[i].first, waiting);
  }
}

awaitable<void> heartbeater::say_farewell() {
  const auto& names = context_.keys();
  const auto& node = context_.config.node;
  const auto pidbox = node + ".celery.pidbox";
  redis::request bye;
  bye.push("PUBLISH", names.event_channel("worker.offline"),
           context_.events.single("worker-offline", event_fields(interval_s())));
  bye.push("SREM", names.binding("celery.pidbox"), binding_member("", pidbox));
  bye.push("DEL", names.prefix + pidbox);
  bye.push("ZREM", names.own("workers"), context_.instance);
  bye.push("DEL", context_.worker_key(), context_.running_key());
  redis::checked(co_await context_.side.exec(std::move(bye)));
}

}  // namespace skirmish::tasks
