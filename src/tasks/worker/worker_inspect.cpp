// What a worker tells of itself: to `inspect`, and in its events.
#include "tasks/worker/worker.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace skirmish::tasks {

json worker::request_info(const job& j, bool safe) const {
  json args, kwargs;
  if (safe) {
    const auto plain = [](std::string_view token) {
      std::string out;
      if (token.size() >= 2) unescape_json(token.substr(1, token.size() - 2), out);
      return json(out);
    };
    args = plain(j.m.args_repr);
    kwargs = plain(j.m.kwargs_repr);
  } else if (auto body = parse_body(j.m)) {
    args = json_array(std::move(body->args), boost::json::storage_ptr());
    kwargs = json_object(std::move(body->kwargs), boost::json::storage_ptr());
  }
  const bool runs = j.started_s > 0;
  return json_object{{"id", j.m.id},
                     {"name", j.m.task},
                     {"type", j.m.task},
                     {"args", std::move(args)},
                     {"kwargs", std::move(kwargs)},
                     {"hostname", config_.node},
                     {"time_start", runs ? json(j.started_s) : json()},
                     {"acknowledged", j.acknowledged},
                     {"delivery_info", json_object{{"exchange", j.m.exchange},
                                                   {"routing_key", j.m.queue},
                                                   {"priority", j.m.priority},
                                                   {"redelivered", j.m.redelivered}}},
                     {"worker_pid", runs ? json(::getpid()) : json()}};
}

json worker::stats() const {
  json_object total;
  for (const auto& [name, state] : task_states_)
    if (state->total > 0) total[name] = state->total;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(steady::now() - started_at_).count();
  const auto& broker = app_.broker;
  json_array processes;
  processes.push_back(json(::getpid()));
  return json_object{
      {"total", std::move(total)},
      {"pid", ::getpid()},
      {"clock", std::to_string(events_.clock())},
      {"uptime", uptime},
      {"pool",
       json_object{
           {"implementation", config_.in_sandbox ? "skirmish:sandbox" : "skirmish:threads"},
           {"max-concurrency", config_.concurrency},
           {"processes", std::move(processes)},
           {"max-tasks-per-child", "N/A"},
           {"put-guarded-by-semaphore", false},
           {"timeouts", json_array{0, 0}},
           {"writes", json_object{{"total", processed_},
                                  {"avg", "100.00%"},
                                  {"all", ""},
                                  {"raw", ""},
                                  {"strategy", "fair"},
                                  {"inqueues", json_object{{"active", running_.size()},
                                                           {"total", config_.concurrency}}}}}}},
      {"broker", json_object{{"hostname", broker.unix_socket.empty() ? broker.address.host
                                                                     : broker.unix_socket},
                             {"port", broker.address.port},
                             {"transport", "redis"},
                             {"virtual_host", std::to_string(broker.database)},
                             {"userid", nullptr},
                             {"ssl", broker.tls.enabled},
                             {"heartbeat", 0},
                             {"connect_timeout", 4},
                             {"alternates", json_array()},
                             {"transport_options", json_object()}}},
      {"prefetch_count", prefetch_limit()},
      {"rusage", json_object{{"utime", seconds(usage.ru_utime)},
                             {"stime", seconds(usage.ru_stime)},
                             {"maxrss", usage.ru_maxrss},
                             {"minflt", usage.ru_minflt},
                             {"majflt", usage.ru_majflt},
                             {"inblock", usage.ru_inblock},
                             {"oublock", usage.ru_oublock},
                             {"nvcsw", usage.ru_nvcsw},
                             {"nivcsw", usage.ru_nivcsw}}},
      {"skirmish",
       json_object{{"version", SKIRMISH_VERSION},
                   {"instance", instance_},
                   {"turns", totals_.turns.load()},
                   {"fetched", totals_.fetched.load()},
                   {"succeeded", totals_.succeeded.load()},
                   {"failed", totals_.failed.load()},
                   {"retried", totals_.retried.load()},
                   {"revoked", totals_.revoked.load()},
                   {"dead_lettered", totals_.dead_lettered.load()},
                   {"recovered", totals_.recovered.load()},
                   {"visibility_timeout_s", app_.options.visibility_timeout.count() / 1000}}}};
}

json worker::active_queues() const {
  json_array out;
  for (const auto& [name, weight] : config_.queues) {
    out.push_back(json_object{{"name", name},
                              {"routing_key", name},
                              {"durable", true},
                              {"exclusive", false},
                              {"auto_delete", false},
                              {"no_ack", false},
                              {"alias", nullptr},
                              {"bindings", json_array()},
                              {"no_declare", nullptr},
                              {"expires", nullptr},
                              {"message_ttl", nullptr},
                              {"max_length", nullptr},
                              {"max_length_bytes", nullptr},
                              {"max_priority", nullptr},
                              {"queue_arguments", nullptr},
                              {"binding_arguments", nullptr},
                              {"consumer_arguments", nullptr},
                              {"exchange", json_object{{"name", name},
                                                       {"type", "direct"},
                                                       {"arguments", nullptr},
                                                       {"durable", true},
                                                       {"passive", false},
                                                       {"auto_delete", false},
                                                       {"delivery_mode", nullptr},
                                                       {"no_declare", false}}}});
  }
  return out;
}

json worker::answer_query(const std::vector<std::string>& ids) const {
  json_object out;
  for (const auto& id : ids) {
    const auto add = [&](const char* state, const job& j) {
      out[id] = json_array{json(state), request_info(j, true)};
    };
    for (const auto& [tag, j] : running_)
      if (j->m.id == id) add("active", *j);
    for (const auto& j : ready_)
      if (j->m.id == id) add("reserved", *j);
    for (const auto& [at, j] : waiting_)
      if (j->m.id == id) add("reserved", *j);
  }
  return out;
}

std::string worker::worker_fields() const {
  double load[3] = {0, 0, 0};
  static_cast<void>(getloadavg(load, 3));
  return fmt::format(
      R"(, "freq": {:.1f}, "active": {}, "processed": {}, "loadavg": [{:.2f}, {:.2f}, {:.2f}], )"
      R"("sw_ident": "skirmish", "sw_ver": "{}", "sw_sys": "Linux")",
      std::chrono::duration<double>(config_.heartbeat_interval).count(), running_.size(),
      processed_, load[0], load[1], load[2], SKIRMISH_VERSION);
}

// Sent by itself, not in a turn: worker events are few and must not wait.
void worker::send_event(std::string_view type, std::string fields) {
  std::string routing_key(type);
  std::replace(routing_key.begin(), routing_key.end(), '-', '.');
  auto work = [this, channel = app_.keys.event_channel(routing_key),
               envelope = events_.single(type, fields)]() -> awaitable<void> {
    try {
      co_await side_.command("PUBLISH", channel, envelope);
    } catch (const failure&) {
      // The next heartbeat tells the same.
    }
  };
  group_.spawn("task_event", std::move(work));
}

// Nothing when it is no question, or one that takes Redis.
std::optional<json> worker::answer_question(const received_request& r) const {
  const auto& m = r.method;
  const auto& args = r.arguments;
  if (m == "stats") return stats();
  if (m == "clock") return json_object{{"clock", events_.clock()}};
  if (m == "active" || m == "dump_active" || m == "reserved" || m == "dump_reserved") {
    const auto* safe = args.if_contains("safe");
    const bool as_text = safe && safe->is_bool() && safe->get_bool();
    json_array out;
    if (m.ends_with("active"))
      for (const auto& [tag, j] : running_) out.push_back(request_info(*j, as_text));
    else
      for (const auto& j : ready_) out.push_back(request_info(*j, as_text));
    return out;
  }
  if (m == "registered" || m == "dump_tasks") {
    json_array out;
    for (const auto& [name, state] : task_states_)
      out.push_back(json(state->rate_limit.empty()
                             ? name
                             : fmt::format("{} [rate_limit={}]", name, state->rate_limit)));
    return out;
  }
  if (m == "revoked" || m == "dump_revoked") {
    json_array out;
    for (const auto& [id, until] : revoked_)
      if (!id.starts_with(revoked_stamp)) out.push_back(json(id));
    return out;
  }
  if (m == "query_task") return answer_query(strings_at(args, "ids"));
  if (m == "active_queues") return active_queues();
  if (m == "conf" || m == "dump_conf") {
    return json_object{{"broker_url", redis::to_string_masked(app_.broker)},
                       {"result_backend", redis::to_string_masked(app_.results)},
                       {"task_default_queue", app_.options.default_queue},
                       {"result_expires", app_.options.result_expires.count() / 1000},
                       {"worker_concurrency", config_.concurrency},
                       {"worker_prefetch_multiplier", config_.prefetch_multiplier},
                       {"task_track_started", app_.options.track_started},
                       {"worker_send_task_events", events_.enabled()}};
  }
  if (m == "report")
    return control_ok("software -> skirmish:" SKIRMISH_VERSION " (C++), transport: redis\n");
  if (m == "memsample" || m == "memdump" || m == "objgraph") {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return json(fmt::format("{} MB", usage.ru_maxrss / 1024));
  }
  return std::nullopt;
}

}  // namespace skirmish::tasks
