#include "tasks/worker/inspection.hpp"

#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

namespace skirmish::tasks {
namespace {

constexpr std::size_t scheduled_shown = 1000;

// A job as Celery describes a request. `safe` gives the arguments as text.
json request_info(const job& j, bool safe) {
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
                     {"hostname", j.host.node()},
                     {"time_start", runs ? json(j.started_s) : json()},
                     {"acknowledged", j.acknowledged},
                     {"delivery_info", json_object{{"exchange", j.m.exchange},
                                                   {"routing_key", j.m.queue},
                                                   {"priority", j.m.priority},
                                                   {"redelivered", j.m.redelivered}}},
                     {"worker_pid", runs ? json(::getpid()) : json()}};
}

template <class Jobs>
json infos_of(const Jobs& jobs, bool safe) {
  json_array out;
  for (const auto& j : jobs) out.push_back(request_info(*j, safe));
  return out;
}

json broker_info(const redis::connection_config& broker) {
  const bool is_local = !broker.unix_socket.empty();
  return json_object{{"hostname", is_local ? broker.unix_socket : broker.address.host},
                     {"port", broker.address.port},
                     {"transport", "redis"},
                     {"virtual_host", std::to_string(broker.database)},
                     {"userid", nullptr},
                     {"ssl", broker.tls.enabled},
                     {"heartbeat", 0},
                     {"connect_timeout", 4},
                     {"alternates", json_array()},
                     {"transport_options", json_object()}};
}

json usage_info() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return json_object{{"utime", seconds(usage.ru_utime)}, {"stime", seconds(usage.ru_stime)},
                     {"maxrss", usage.ru_maxrss},        {"minflt", usage.ru_minflt},
                     {"majflt", usage.ru_majflt},        {"inblock", usage.ru_inblock},
                     {"oublock", usage.ru_oublock},      {"nvcsw", usage.ru_nvcsw},
                     {"nivcsw", usage.ru_nivcsw}};
}

}  // namespace

inspection::inspection(worker_context& context, const held_jobs& held, const revocations& revoked)
    : context_(context), held_(held), revocations_(revoked) {}

json inspection::stats() const {
  const auto& config = context_.config;
  const auto& totals = context_.metrics.totals();
  json_object total;
  for (const auto& [name, state] : context_.tasks)
    if (state->total > 0) total[name] = state->total;
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(clock::now() - started_at_).count();
  json_array processes;
  processes.push_back(json(::getpid()));
  return json_object{
      {"total", std::move(total)},
      {"pid", ::getpid()},
      {"clock", std::to_string(context_.events.clock())},
      {"uptime", uptime},
      {"pool",
       json_object{
           {"implementation", config.processes ? "skirmish:sandbox" : "skirmish:threads"},
           {"max-concurrency", config.concurrency},
           {"processes", std::move(processes)},
           {"max-tasks-per-child", "N/A"},
           {"put-guarded-by-semaphore", false},
           {"timeouts", json_array{0, 0}},
           {"writes", json_object{{"total", totals.processed.load()},
                                  {"avg", "100.00%"},
                                  {"all", ""},
                                  {"raw", ""},
                                  {"strategy", "fair"},
                                  {"inqueues", json_object{{"active", held_.occupied()},
                                                           {"total", config.concurrency}}}}}}},
      {"broker", broker_info(context_.application.broker)},
      {"prefetch_count", context_.prefetch_limit()},
      {"rusage", usage_info()},
      {"skirmish", json_object{{"version", SKIRMISH_VERSION},
                               {"instance", context_.instance},
                               {"cycles", totals.cycles.load()},
                               {"fetched", totals.fetched.load()},
                               {"succeeded", totals.succeeded.load()},
                               {"failed", totals.failed.load()},
                               {"retried", totals.retried.load()},
                               {"revoked", totals.revoked.load()},
                               {"dead_lettered", totals.dead_lettered.load()},
                               {"recovered", totals.recovered.load()},
                               {"visibility_timeout_s",
                                context_.application.options.visibility_timeout.count() / 1000}}}};
}

json inspection::active_queues() const {
  json_array out;
  for (const auto& [name, weight] : context_.config.queues) {
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

json inspection::query(const std::vector<std::string>& ids) const {
  json_object out;
  for (const auto& id : ids) {
    const auto add = [&](const char* state, const job& j) {
      out[id] = json_array{json(state), request_info(j, true)};
    };
    for (const auto& j : held_.started())
      if (j->m.id == id) add("active", *j);
    for (const auto& j : held_.ready())
      if (j->m.id == id) add("reserved", *j);
    for (const auto& j : held_.waiting())
      if (j->m.id == id) add("reserved", *j);
  }
  return out;
}

json inspection::registered() const {
  json_array out;
  for (const auto& [name, state] : context_.tasks) {
    const auto& rate = state->rate.text();
    out.push_back(json(rate.empty() ? name : fmt::format("{} [rate_limit={}]", name, rate)));
  }
  return out;
}

json inspection::configuration() const {
  const auto& app = context_.application;
  const auto& config = context_.config;
  return json_object{{"broker_url", redis::to_string_masked(app.broker)},
                     {"result_backend", redis::to_string_masked(app.results)},
                     {"task_default_queue", app.options.default_queue},
                     {"result_expires", context_.result_ttl_s()},
                     {"worker_concurrency", config.concurrency},
                     {"worker_prefetch_multiplier", config.prefetch_multiplier},
                     {"task_track_started", app.options.track_started},
                     {"worker_send_task_events", context_.events.enabled()}};
}

awaitable<json> inspection::scheduled() const {
  json_array out;
  const auto add = [&](const job& j) {
    out.push_back(json_object{{"eta", j.m.eta ? json(to_iso(*j.m.eta)) : json()},
                              {"priority", 6},
                              {"request", request_info(j, true)}});
  };
  for (const auto& j : held_.waiting()) add(*j);
  const auto far = redis::checked(
      co_await context_.side.command("ZRANGE", context_.keys().own("eta"), 0, scheduled_shown - 1));
  for (const auto& member : far.as_strings()) {
    job j(context_, member.substr(member.find('\n') + 1));
    if (!parse_envelope(j.m)) continue;
    j.m.queue = j.m.routing_key;
    add(j);
  }
  co_return out;
}

std::optional<json> inspection::answer(const received_request& r) const {
  const auto& m = r.method;
  if (m == "stats") return stats();
  if (m == "clock") return json_object{{"clock", context_.events.clock()}};
  const auto* safe = r.arguments.if_contains("safe");
  const bool as_text = safe && safe->is_bool() && safe->get_bool();
  if (m == "active" || m == "dump_active") return infos_of(held_.started(), as_text);
  if (m == "reserved" || m == "dump_reserved") return infos_of(held_.ready(), as_text);
  if (m == "registered" || m == "dump_tasks") return registered();
  if (m == "revoked" || m == "dump_revoked") {
    json_array out;
    for (auto& id : revocations_.latest_ids(revoke_memory_limit))
      out.push_back(json(std::move(id)));
    return out;
  }
  if (m == "query_task") return query(strings_at(r.arguments, "ids"));
  if (m == "active_queues") return active_queues();
  if (m == "conf" || m == "dump_conf") return configuration();
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
