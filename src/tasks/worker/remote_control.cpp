#include "tasks/worker/remote_control.hpp"

#include "core/log.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/python_repr.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto subscribe_deadline = 10s;
constexpr auto reply_ttl_ms = 10'000;
constexpr std::int64_t pool_limit = 10'000;
// Sent whole with every reply to `hello`: enough for what is still on its way.
constexpr std::size_t hello_ids = 1000;
// What Celery's workers announce when they are asked for a heartbeat.
constexpr double asked_heartbeat_interval_s = 5.0;

std::int64_t integer_at(const json_object& in, std::string_view name, std::int64_t fallback) {
  const auto* v = in.if_contains(name);
  return v && v->is_number() ? static_cast<std::int64_t>(v->to_number<double>()) : fallback;
}

bool flag_at(const json_object& in, std::string_view name) {
  const auto* v = in.if_contains(name);
  return v && v->is_bool() && v->get_bool();
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

int signal_number(const json_object& in) {
  const auto* v = in.if_contains("signal");
  if (v && v->is_int64()) return static_cast<int>(v->get_int64());
  auto name = text_at(in, "signal");
  if (name.starts_with("SIG")) name.remove_prefix(3);
  return name == "KILL"   ? SIGKILL
         : name == "INT"  ? SIGINT
         : name == "QUIT" ? SIGQUIT
         : name == "USR1" ? SIGUSR1
                          : SIGTERM;
}

json unknown_method(std::string_view name) {
  return control_error("KeyError(" + python_repr(name) + ")");
}

}  // namespace

remote_control::remote_control(worker_context& context, held_jobs& held, parts of)
    : context_(context),
      held_(held),
      of_(std::move(of)),
      inspection_(context, held, of_.revoked),
      subscriber_(context.io, context.application.broker, "skirmish-worker-control") {}

awaitable<void> remote_control::run() { return subscriber_.run(); }

awaitable<void> remote_control::listen() {
  redis::listener on;
  on.on_message = [this](std::string_view, std::string_view envelope) { receive(envelope); };
  subscription_ = subscriber_.subscribe_pattern(context_.keys().pidbox(), std::move(on));
  co_await subscription_.confirmed(subscribe_deadline);
}

void remote_control::stop_listening() { subscription_.end(); }
void remote_control::stop() { subscriber_.stop(); }

void remote_control::receive(std::string_view envelope) {
  auto parsed = parse_control_request(envelope);
  if (!parsed) {
    log::warn("task_control_unreadable", {{"error", parsed.error().message}});
    return;
  }
  context_.events.witness(parsed->clock);
  if (!parsed->is_for(context_.config.node)) return;
  auto work = [this, r = std::move(*parsed)]() -> awaitable<void> {
    auto said = co_await answer(r);
    const bool wants_reply = !r.reply_key.empty() && r.method != "shutdown";
    if (wants_reply) co_await reply(r, std::move(said));
  };
  context_.background.spawn("task_control", std::move(work));
}

awaitable<void> remote_control::reply(received_request to, json said) {
  const auto& names = context_.keys();
  const auto bound =
      redis::checked(co_await context_.side.command("SMEMBERS", names.binding(to.reply_exchange)));
  const auto envelope = control_reply(to, context_.config.node, said, context_.events.tick());
  redis::request send;
  for (const auto& member : bound.as_strings()) {
    // routing key, pattern and queue, with separators between them
    const auto first = member.find(separator);
    const auto last = member.rfind(separator);
    if (first == std::string::npos || member.substr(0, first) != to.reply_key) continue;
    const auto list = names.prefix + member.substr(last + separator.size());
    send.push("LPUSH", list, envelope);
    send.push("PEXPIRE", list, reply_ttl_ms);
  }
  if (send.get_commands() > 0) redis::checked(co_await context_.side.exec(std::move(send)));
}

awaitable<json> remote_control::answer(const received_request& r) {
  const auto& m = r.method;
  if (m == "scheduled" || m == "dump_schedule") {
    auto out = co_await inspection_.scheduled();
    co_return out;
  }
  if (auto told = inspection_.answer(r)) co_return std::move(*told);
  co_return execute(r);
}

json remote_control::execute(const received_request& r) {
  const auto& m = r.method;
  const auto& args = r.arguments;
  if (m == "ping") return control_ok("pong");
  if (m == "add_consumer" || m == "cancel_consumer") return change_queues(m, args);
  if (m.starts_with("pool_") || m == "autoscale") return change_pool(m, args);
  if (m == "rate_limit") return change_rate(args);
  if (m == "time_limit") return change_time_limits(args);
  if (m == "hello") return greet(args);
  if (m == "revoke" || m == "terminate") return revoke(args, m == "terminate");
  if (m == "revoke_by_stamped_headers" || m == "terminate_by_stamped_headers")
    return revoke_stamped(args, m.starts_with("terminate"));
  if (m == "enable_events" || m == "disable_events") return enable_events(m == "enable_events");
  if (m == "heartbeat") {
    of_.beats.send_event(asked_heartbeat_interval_s);
    return nullptr;
  }
  if (m == "election") {
    // Every worker that hears of an election must answer, or it never ends.
    std::string id;
    append_json_string(id, text_at(args, "id"));
    context_.publish_event("worker-elect-ack", ", \"id\": " + id);
    return nullptr;
  }
  if (m == "shutdown") {
    of_.shut_down();
    return nullptr;
  }
  return unknown_method(m);
}

json remote_control::enable_events(bool on) {
  const bool was = context_.events.enabled();
  context_.events.set_enabled(on);
  return control_ok(
      fmt::format("task events {}{}", was == on ? "already " : "", on ? "enabled" : "disabled"));
}

json remote_control::autoscale(const json_object& arguments) {
  auto& config = context_.config;
  if (config.autoscale_max == 0) return control_error("ValueError('Autoscale not enabled')");
  const auto most = integer_at(arguments, "max", static_cast<std::int64_t>(config.autoscale_max));
  const auto least = integer_at(arguments, "min", static_cast<std::int64_t>(config.autoscale_min));
  config.autoscale_max = static_cast<std::size_t>(std::max<std::int64_t>(1, most));
  config.autoscale_min =
      std::min(config.autoscale_max, static_cast<std::size_t>(std::max<std::int64_t>(0, least)));
  of_.runs.autoscale();
  return control_ok(
      fmt::format("autoscale now max={} min={}", config.autoscale_max, config.autoscale_min));
}

json remote_control::change_pool(const std::string& method, const json_object& arguments) {
  if (method == "pool_restart") return control_error("ValueError('Pool restarts not enabled')");
  if (method == "autoscale") return autoscale(arguments);
  const bool grow = method == "pool_grow";
  if (!grow && method != "pool_shrink") return unknown_method(method);
  const auto n = std::clamp<std::int64_t>(integer_at(arguments, "n", 1), 0, pool_limit);
  const auto wanted = static_cast<std::int64_t>(context_.config.concurrency) + (grow ? n : -n);
  of_.runs.resize(static_cast<std::size_t>(std::max<std::int64_t>(1, wanted)));
  context_.wake.notify();
  return control_ok(grow ? "pool will grow" : "pool will shrink");
}

json remote_control::change_queues(const std::string& method, const json_object& arguments) {
  const std::string queue(text_at(arguments, "queue"));
  if (queue.empty()) return control_error("TypeError(\"missing argument: 'queue'\")");
  auto& queues = context_.config.queues;
  const auto at =
      std::find_if(queues.begin(), queues.end(), [&](const auto& q) { return q.first == queue; });
  if (method == "cancel_consumer") {
    if (at != queues.end()) queues.erase(at);
    return control_ok("no longer consuming from " + queue);
  }
  if (at != queues.end()) return control_ok("already consuming from " + queue);
  queues.emplace_back(queue, 1);
  auto bind = [this, queue]() -> awaitable<void> {
    co_await context_.side.command("SADD", context_.keys().binding(queue),
                                   binding_member(queue, queue));
  };
  context_.background.spawn("task_bind", std::move(bind));
  of_.expect_messages();
  context_.wake.notify();
  return control_ok("add consumer " + queue);
}

json remote_control::change_time_limits(const json_object& arguments) {
  auto* state = context_.find_task(text_at(arguments, "task_name"));
  if (state == nullptr) return control_error("unknown task");
  const auto seconds = [&](std::string_view name) -> std::optional<double> {
    const auto* v = arguments.if_contains(name);
    if (v == nullptr || !v->is_number() || v->to_number<double>() <= 0) return std::nullopt;
    return v->to_number<double>();
  };
  state->soft_limit_s = seconds("soft");
  state->hard_limit_s = seconds("hard");
  return control_ok("time limits set successfully");
}

json remote_control::change_rate(const json_object& arguments) {
  auto* state = context_.find_task(text_at(arguments, "task_name"));
  if (state == nullptr) return control_error("unknown task");
  std::string text(text_at(arguments, "rate_limit"));
  if (const auto n = integer_at(arguments, "rate_limit", 0); text.empty() && n > 0)
    text = std::to_string(n);
  if (text == "0") text.clear();
  const auto interval = parse_rate_interval_s(text);
  if (!interval)
    return control_error("Invalid rate limit string: " + python_repr(std::string_view(text)));
  state->rate = rate_limit(std::move(text));
  return control_ok(*interval == 0 ? "rate limit disabled successfully"
                                   : "new rate limit set successfully");
}

// A starting worker tells what it knows to be revoked, and asks for the same ("mingle").
json remote_control::greet(const json_object& arguments) {
  if (const auto* theirs = arguments.if_contains("revoked"); theirs && theirs->is_object())
    for (const auto& [id, when] : theirs->get_object()) of_.revoked.add(std::string(id));
  if (text_at(arguments, "from_node") == context_.config.node) return nullptr;
  json_object mine;
  const double now =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  for (const auto& id : of_.revoked.latest_ids(hello_ids))
    // The time must be a float: Python cannot read an integer here.
    mine[id] = json_array{now + 1e-6, json(id)};
  return json_object{{"revoked", std::move(mine)}, {"clock", context_.events.clock()}};
}

// ---- revoking ----

json remote_control::revoke(const json_object& arguments, bool is_terminate) {
  const bool terminates = is_terminate || flag_at(arguments, "terminate");
  const auto ids = strings_at(arguments, "task_id");
  std::vector<std::string> running;
  for (const auto& j : held_.started())
    if (std::find(ids.begin(), ids.end(), j->m.id) != ids.end()) running.emplace_back(j->m.id);
  add_revoked(ids);
  if (!terminates) return control_ok(fmt::format("tasks {} flagged as revoked", joined(ids)));
  terminate(ids, signal_number(arguments));
  return control_ok(running.empty() ? std::string("terminate: tasks unknown")
                                    : "terminate: " + joined(running));
}

// Revokes what runs, waits or will come with one of the named stamps.
json remote_control::revoke_stamped(const json_object& arguments, bool is_terminate) {
  const auto wanted = stamp_ids(arguments);
  if (wanted.empty()) return control_error("TypeError(\"missing argument: 'headers'\")");
  add_revoked(wanted);
  std::vector<std::string> texts;
  for (const auto& one : wanted) texts.push_back(stamp_text(one));
  const auto named = joined(texts);
  if (!is_terminate && !flag_at(arguments, "terminate"))
    return control_ok(fmt::format("headers {} flagged as revoked, but not terminated", named));
  std::vector<std::string> running;
  for (const auto& j : held_.started())
    if (of_.revoked.is_revoked(*j)) running.emplace_back(j->m.id);
  if (running.empty()) return control_ok(fmt::format("headers {} were not terminated", named));
  add_revoked(running);
  terminate(running, signal_number(arguments));
  return control_ok(fmt::format("headers {} revoked", named));
}

void remote_control::add_revoked(const std::vector<std::string>& ids) {
  for (const auto& id : ids) of_.revoked.add(id);
  if (!of_.revoked.has_unsaved()) return;
  context_.background.spawn("task_revoked", [this] { return of_.revoked.synchronise(); });
}

void remote_control::terminate(const std::vector<std::string>& ids, int signal_number) {
  for (const auto& j : held_.started()) {
    if (std::find(ids.begin(), ids.end(), j->m.id) == ids.end()) continue;
    of_.runs.give_up(j, revoked_failure("terminated"), job_outcome::revoked, signal_number);
    context_.events.revoked(j->m.id, true, signal_number, false);
  }
}

}  // namespace skirmish::tasks
