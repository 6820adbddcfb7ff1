#include "core/log.hpp"
#include "tasks/protocol/text.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker/worker.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto reply_ttl_ms = 10'000;
constexpr std::size_t scheduled_shown = 1000;

std::int64_t integer_at(const json_object& in, std::string_view name, std::int64_t fallback) {
  const auto* v = in.if_contains(name);
  return v && v->is_number() ? static_cast<std::int64_t>(v->to_number<double>()) : fallback;
}

}  // namespace

// ---- requests and replies ----

void worker::on_control(std::string_view envelope) {
  auto parsed = parse_control_request(envelope);
  if (!parsed) {
    log::warn("task_control_unreadable", {{"error", parsed.error().message}});
    return;
  }
  events_.witness(parsed->clock);
  if (!parsed->is_for(config_.node)) return;
  auto work = [this, r = std::move(*parsed)]() -> awaitable<void> {
    auto said = co_await answer(r);
    const bool wants_reply = !r.reply_key.empty() && r.method != "shutdown";
    if (wants_reply) co_await reply(r, std::move(said));
  };
  group_.spawn("task_control", std::move(work));
}

awaitable<void> worker::reply(received_request to, json said) {
  const auto bound =
      redis::checked(co_await side_.command("SMEMBERS", app_.keys.binding(to.reply_exchange)));
  const auto envelope = control_reply(to, config_.node, said, events_.tick());
  redis::request send;
  for (const auto& member : bound.as_strings()) {
    // routing key SEP pattern SEP queue
    const auto first = member.find(separator);
    const auto last = member.rfind(separator);
    if (first == std::string::npos || member.substr(0, first) != to.reply_key) continue;
    const auto list = app_.keys.prefix + member.substr(last + separator.size());
    send.push("LPUSH", list, envelope);
    send.push("PEXPIRE", list, reply_ttl_ms);
  }
  if (send.get_commands() > 0) redis::checked(co_await side_.exec(std::move(send)));
}

// Those that wait here, and the first of those that wait in Redis.
awaitable<json> worker::answer_scheduled() {
  json_array out;
  const auto add = [&](const job& j) {
    out.push_back(json_object{{"eta", j.m.eta ? json(to_iso(*j.m.eta)) : json()},
                              {"priority", 6},
                              {"request", request_info(j, true)}});
  };
  for (const auto& [at, j] : waiting_) add(*j);
  const auto far = redis::checked(
      co_await side_.command("ZRANGE", app_.keys.own("eta"), 0, scheduled_shown - 1));
  for (const auto& member : far.as_strings()) {
    job j(*this, member.substr(member.find('\n') + 1));
    if (!parse_envelope(j.m)) continue;
    j.m.queue = j.m.routing_key;
    add(j);
  }
  co_return out;
}

awaitable<json> worker::answer(const received_request& r) {
  const auto& m = r.method;
  const auto& args = r.arguments;
  if (m == "ping") co_return control_ok("pong");
  if (auto told = answer_question(r)) co_return std::move(*told);
  if (m == "scheduled" || m == "dump_schedule") {
    auto out = co_await answer_scheduled();
    co_return out;
  }
  if (m == "add_consumer" || m == "cancel_consumer") co_return answer_consumer(m, args);
  if (m.starts_with("pool_") || m == "autoscale") co_return answer_pool(m, args);
  if (m == "rate_limit" || m == "time_limit") co_return answer_limits(m, args);
  if (m == "hello") co_return answer_hello(args);
  if (m == "revoke" || m == "terminate" || m == "revoke_by_stamped_headers" ||
      m == "terminate_by_stamped_headers")
    co_return answer_revoke(m, args);
  if (m == "enable_events" || m == "disable_events") {
    const bool on = m == "enable_events";
    const bool was = events_.enabled();
    events_.set_enabled(on);
    co_return control_ok(
        fmt::format("task events {}{}", was == on ? "already " : "", on ? "enabled" : "disabled"));
  }
  if (m == "heartbeat") {
    send_event(
        "worker-heartbeat",
        ", \"freq\": 5" + worker_fields().substr(std::string_view(", \"freq\": 2.0").size()));
    co_return nullptr;
  }
  if (m == "election") {
    // Every worker that hears of an election answers; who says nothing blocks it.
    std::string id;
    append_json_string(id, text_at(args, "id"));
    send_event("worker-elect-ack", ", \"id\": " + id);
    co_return nullptr;
  }
  if (m == "shutdown") {
    stop();
    co_return nullptr;
  }
  co_return control_error("KeyError(" + python_repr(std::string_view(m)) + ")");
}

// ---- what there is to do ----

json worker::answer_pool(const std::string& method, const json_object& arguments) {
  const auto n = std::clamp<std::int64_t>(integer_at(arguments, "n", 1), 0, 10'000);
  if (method == "pool_restart") return control_error("ValueError('Pool restarts not enabled')");
  if (method == "autoscale") {
    if (config_.autoscale_max == 0) return control_error("ValueError('Autoscale not enabled')");
    config_.autoscale_max = static_cast<std::size_t>(std::max<std::int64_t>(
        1, integer_at(arguments, "max", static_cast<std::int64_t>(config_.autoscale_max))));
    config_.autoscale_min = std::min(
        config_.autoscale_max,
        static_cast<std::size_t>(std::max<std::int64_t>(
            0, integer_at(arguments, "min", static_cast<std::int64_t>(config_.autoscale_min)))));
    autoscale();
    return control_ok(
        fmt::format("autoscale now max={} min={}", config_.autoscale_max, config_.autoscale_min));
  }
  const bool grow = method == "pool_grow";
  if (!grow && method != "pool_shrink")
    return control_error("KeyError(" + python_repr(std::string_view(method)) + ")");
  const auto wanted = static_cast<std::int64_t>(config_.concurrency) + (grow ? n : -n);
  config_.concurrency = static_cast<std::size_t>(std::max<std::int64_t>(1, wanted));
  pool_->resize(config_.concurrency);
  if (!woken_.exchange(true)) wake();
  return control_ok(grow ? "pool will grow" : "pool will shrink");
}

json worker::answer_consumer(const std::string& method, const json_object& arguments) {
  const std::string queue(text_at(arguments, "queue"));
  if (queue.empty()) return control_error("TypeError(\"missing argument: 'queue'\")");
  const auto at = std::find_if(config_.queues.begin(), config_.queues.end(),
                               [&](const auto& q) { return q.first == queue; });
  if (method == "cancel_consumer") {
    if (at != config_.queues.end() && config_.queues.size() > 1)
      config_.queues.erase(at);
    else if (at != config_.queues.end())
      config_.queues.clear();
    return control_ok("no longer consuming from " + queue);
  }
  if (at != config_.queues.end()) return control_ok("already consuming from " + queue);
  config_.queues.emplace_back(queue, 1);
  auto bind = [this, queue]() -> awaitable<void> {
    co_await side_.command("SADD", app_.keys.binding(queue),
                           fmt::format("{}{}{}{}", queue, separator, separator, queue));
  };
  group_.spawn("task_bind", std::move(bind));
  more_may_wait_ = true;
  if (!woken_.exchange(true)) wake();
  return control_ok("add consumer " + queue);
}

json worker::answer_limits(const std::string& method, const json_object& arguments) {
  const auto found = task_states_.find(text_at(arguments, "task_name"));
  if (found == task_states_.end()) return control_error("unknown task");
  auto& state = *found->second;
  if (method == "time_limit") {
    const auto seconds = [&](std::string_view name) -> std::optional<double> {
      const auto* v = arguments.if_contains(name);
      if (v == nullptr || !v->is_number() || v->to_number<double>() <= 0) return std::nullopt;
      return v->to_number<double>();
    };
    state.soft_limit_s = seconds("soft");
    state.hard_limit_s = seconds("hard");
    return control_ok("time limits set successfully");
  }
  std::string text(text_at(arguments, "rate_limit"));
  if (const auto n = integer_at(arguments, "rate_limit", 0); text.empty() && n > 0)
    text = std::to_string(n);
  if (text == "0") text.clear();
  const auto interval = parse_rate_interval_s(text);
  if (!interval)
    return control_error("Invalid rate limit string: " + python_repr(std::string_view(text)));
  state.rate_limit = text;
  state.rate_interval_s = *interval;
  state.next_start_s = 0;
  return control_ok(*interval == 0 ? "rate limit disabled successfully"
                                   : "new rate limit set successfully");
}

// Mingle: a starting worker asks the others what has been revoked.
json worker::answer_hello(const json_object& arguments) {
  if (const auto* theirs = arguments.if_contains("revoked"); theirs && theirs->is_object())
    for (const auto& [id, when] : theirs->get_object()) remember_revoked(std::string(id));
  if (text_at(arguments, "from_node") == config_.node) return nullptr;
  json_object mine;
  const double now = std::chrono::duration<double>(steady::now().time_since_epoch()).count();
  // Sent whole with every reply: the latest thousand is enough for what is still on its way.
  std::size_t shown = 0;
  for (auto id = revoked_order_.rbegin(); id != revoked_order_.rend() && shown < 1000;
       ++id, ++shown)
    // A float, always: Python chokes on an integer here.
    if (!id->starts_with(revoked_stamp)) mine[*id] = json_array{now + 1e-6, json(*id)};
  return json_object{{"revoked", std::move(mine)}, {"clock", events_.clock()}};
}

}  // namespace skirmish::tasks
