// `skirmish task doctor`: looks for what is known to go wrong on a Celery broker.
#include "core/parse.hpp"
#include "tasks/admin/operator.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

json_object finding(std::string what, std::string subject, std::string detail, std::string cure) {
  return {{"problem", std::move(what)},
          {"subject", std::move(subject)},
          {"detail", std::move(detail)},
          {"cure", std::move(cure)}};
}

awaitable<void> examine_chords(broker_view at, json_array& out) {
  std::set<std::string> chords;
  for (const auto* part : {".j", ".s"}) {
    const auto found = co_await keys_like(at, at.keys.group("*") + part);
    for (const auto& key : found) chords.insert(key.substr(0, key.size() - 2));
  }
  // Redis reports how long a key was not accessed, and reading it resets that. So each run stores
  // what it found for the next one.
  const auto memory = at.keys.own("doctor");
  const auto remembered = co_await at.redis.command("HGETALL", memory);
  std::map<std::string, std::int64_t> before;
  for (const auto& [state, text] : remembered.as_pairs())
    if (const auto since_s = parse_integer(text)) before[state] = *since_s;
  redis::request remember;
  remember.push("DEL", memory);
  const auto now_s = static_cast<std::int64_t>(unix_now_s());
  for (const auto& base : chords) {
    redis::request ask;
    for (const auto* part : {".j", ".s"}) ask.push("OBJECT", "IDLETIME", base + part);
    ask.push("ZCARD", base + ".j");
    ask.push("GET", base + ".s");
    ask.push("GET", base + ".t");
    const auto r = co_await at.redis.exec(std::move(ask));
    const auto ended = r[2].as_integer().value_or(0);
    const auto size = r[3].as_integer().value_or(-1) + r[4].as_integer().value_or(0);
    const auto untouched = (ended > 0 ? r[0] : r[1]).as_integer().value_or(0);
    const auto gid = base.substr(at.keys.group("").size());
    const auto state = fmt::format("{} {}", gid, ended);
    auto since_s = now_s - untouched;
    if (const auto seen = before.find(state); seen != before.end())
      since_s = std::min(since_s, seen->second);
    remember.push("HSET", memory, state, since_s);
    const auto idle = now_s - since_s;
    if (ended > 0 && r[3].is_nil())
      out.push_back(finding("stuck chord", gid,
                            fmt::format("its size is not stored; {} members have ended", ended),
                            "its body will never run; send it by hand and delete the key"));
    else if (ended < size && idle > 3600)
      out.push_back(
          finding("stuck chord", gid,
                  fmt::format("{} of {} members ended, none in the last {} s", ended, size, idle),
                  "look for members that were lost or revoked by a worker that is gone"));
    else if (ended > 0 && ended >= size && idle > 60)
      out.push_back(finding("complete chord that was not fired", gid,
                            fmt::format("{} of {} members", ended, size),
                            "a C++ worker fires it within 20 s; is one running?"));
  }
  remember.push("EXPIRE", memory, 86'400);
  co_await at.redis.exec(std::move(remember));
}

awaitable<void> examine_keys(broker_view at, json_array& out) {
  const auto lists = co_await keys_like(at, at.keys.prefix + "*.reply.celery.pidbox");
  std::size_t leaked = 0;
  for (const auto& list : lists) {
    const auto ttl = co_await at.redis.command("TTL", list);
    leaked += ttl.as_integer().value_or(0) == -1 ? 1 : 0;
  }
  if (leaked > 0)
    out.push_back(finding("leaked keys", "reply queues",
                          fmt::format("{} reply lists without a TTL", leaked),
                          "a C++ worker's janitor removes them after five minutes"));
  const auto events = co_await at.redis.command("SCARD", at.keys.binding("celeryev"));
  if (events.as_integer().value_or(0) > 100)
    out.push_back(
        finding("leaked keys", at.keys.binding("celeryev"),
                fmt::format("{} bindings of monitors; most are gone", *events.as_integer()),
                "delete the set: fanout does not read it"));
  const auto held = co_await at.redis.command("HLEN", at.keys.unacked());
  const auto booked = co_await at.redis.command("ZCARD", at.keys.unacked_index());
  if (held.as_integer().value_or(0) != booked.as_integer().value_or(0))
    out.push_back(finding(
        "unbooked messages", at.keys.unacked(),
        fmt::format("{} messages are held, {} are indexed", held.as_integer().value_or(0),
                    booked.as_integer().value_or(0)),
        "a moment later they should agree; if not, a worker was killed between two commands"));
  const auto dead = co_await at.redis.command("LLEN", at.keys.own("dead"));
  if (dead.as_integer().value_or(0) > 0)
    out.push_back(finding("poison", "dead letters", fmt::format("{} messages", *dead.as_integer()),
                          "skirmish task deadletter list, then requeue or drop"));
}

// A worker's own visibility timeout; nullopt when it did not answer.
std::optional<std::int64_t> visibility_timeout_s(const json& stats, const json* conf) {
  const auto number_at = [](const json* in, std::string_view part, std::string_view name) {
    const auto* outer = in && in->is_object() ? in->get_object().if_contains(part) : nullptr;
    const auto* v = outer && outer->is_object() ? outer->get_object().if_contains(name) : nullptr;
    return v && v->is_number() ? std::optional(v->to_number<std::int64_t>()) : std::nullopt;
  };
  if (const auto own = number_at(&stats, "skirmish", "visibility_timeout_s")) return own;
  if (conf == nullptr || !conf->is_object()) return std::nullopt;
  // Python's workers only list options that differ from the default.
  return number_at(conf, "broker_transport_options", "visibility_timeout").value_or(3600);
}

awaitable<void> examine_workers(broker_view at, json_array& out) {
  // Named, here and below: g++ 12 miscompiles braces and ranges inside co_await.
  const json_object no_arguments;
  const std::vector<std::string> everybody;
  const auto stats = co_await gather(at, "stats", no_arguments, everybody, 1s);
  const auto confs = co_await broadcast(at, "conf", no_arguments, everybody, 1s);
  std::set<std::int64_t> timeouts;
  std::map<std::string, int> names;
  for (const auto& [node, s] : stats) {
    ++names[node];
    if (const auto t = visibility_timeout_s(s, confs.if_contains(node))) timeouts.insert(*t);
  }
  if (timeouts.size() > 1)
    out.push_back(finding("clashing visibility timeouts", "workers",
                          fmt::format("between {} and {} s; the shortest wins", *timeouts.begin(),
                                      *timeouts.rbegin()),
                          "give all workers of this broker the same"));
  // A worker that hangs does not answer, but is still in the list.
  std::map<std::string, int> listed;
  const auto alive = co_await workers(at);
  for (const auto& w : alive) {
    const auto* node = w.as_object().if_contains("node");
    if (node == nullptr || !node->is_string()) continue;
    ++listed[std::string(node->get_string())];
    if (const auto* returned = w.as_object().if_contains("returned"))
      out.push_back(finding("tasks of others", std::string(node->get_string()),
                            fmt::format("it put {} messages back whose tasks only other workers of "
                                        "its queues know",
                                        to_json_text(*returned)),
                            "give each kind of worker queues of its own (-Q)"));
  }
  for (const auto& [node, count] : listed) names[node] = std::max(names[node], count);
  for (const auto& [node, count] : names)
    if (count > 1)
      out.push_back(finding("duplicate node name", node,
                            fmt::format("{} workers answer to it", count),
                            "start workers with distinct -n"));
}

// Waiting messages: those of tasks that no worker knows, and those that cannot be read.
awaitable<void> examine_waiting(broker_view at, json_array& out) {
  const json_object no_arguments;
  const std::vector<std::string> everybody;
  const auto registered = co_await broadcast(at, "registered", no_arguments, everybody, 1s);
  std::set<std::string> known;
  for (const auto& [node, list] : registered)
    if (list.is_array())
      for (const auto& name : list.get_array())
        if (name.is_string()) {
          std::string text(name.get_string());
          known.insert(text.substr(0, text.find(" [")));
        }
  std::set<std::string> unknown;
  const auto all_queues = co_await queue_names(at);
  for (const auto& queue : all_queues) {
    redis::request ask;
    for (const int step : priority_steps) ask.push("LRANGE", at.keys.queue(queue, step), -100, -1);
    const auto waiting = redis::checked(co_await at.redis.exec(std::move(ask)));
    std::size_t unreadable = 0;
    for (const auto& list : waiting)
      for (const auto& envelope : list.as_strings()) {
        message m(envelope);
        if (!parse_envelope(m))
          ++unreadable;
        else if (!m.task.starts_with("celery.") && !known.contains(std::string(m.task)))
          unknown.insert(std::string(m.task));
      }
    if (unreadable > 0)
      out.push_back(
          finding("poison", queue, fmt::format("{} messages that cannot be read wait", unreadable),
                  "a C++ worker moves them to the dead letters; a Python worker may end"));
  }
  if (known.empty()) co_return;
  for (const auto& name : unknown)
    out.push_back(finding("unregistered task", name,
                          "messages wait for it and no worker that answers knows it",
                          "start a worker that has it, or purge the queue"));
}

}  // namespace

awaitable<json_array> diagnose(broker_view at) {
  json_array out;
  co_await examine_chords(at, out);
  co_await examine_keys(at, out);
  co_await examine_workers(at, out);
  co_await examine_waiting(at, out);
  co_return out;
}

}  // namespace skirmish::tasks
