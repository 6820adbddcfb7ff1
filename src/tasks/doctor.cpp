// `skirmish task doctor`: looks for what is known to go wrong on a Celery broker.
#include "tasks/message.hpp"
#include "tasks/operator.hpp"

#include <fmt/format.h>

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
  const auto chords = co_await keys_like(at, at.keys.group("*") + ".j");
  for (const auto& key : chords) {
    const auto base = key.substr(0, key.size() - 2);
    redis::request ask;
    ask.push("ZCARD", key);
    ask.push("GET", base + ".s");
    ask.push("GET", base + ".t");
    ask.push("OBJECT", "IDLETIME", key);
    const auto r = co_await at.redis.exec(std::move(ask));
    const auto parts = r[0].as_integer().value_or(0);
    const auto size = r[1].as_integer().value_or(-1) + r[2].as_integer().value_or(0);
    const auto idle = r[3].as_integer().value_or(0);
    const auto gid = base.substr(at.keys.group("").size());
    if (r[1].is_nil())
      out.push_back(finding("stuck chord", gid,
                            fmt::format("its size is not stored; {} members have ended", parts),
                            "its body will never run; send it by hand and delete the key"));
    else if (parts < size && idle > 3600)
      out.push_back(
          finding("stuck chord", gid,
                  fmt::format("{} of {} members ended, the last {} s ago", parts, size, idle),
                  "look for members that were lost or revoked by a worker that is gone"));
    else if (parts >= size && idle > 60)
      out.push_back(finding("complete chord that was not fired", gid,
                            fmt::format("{} of {} members", parts, size),
                            "a C++ worker fires it within 20 s; is one running?"));
  }
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
        fmt::format("{} messages are held, {} are booked", held.as_integer().value_or(0),
                    booked.as_integer().value_or(0)),
        "a moment later they should agree; if not, a worker was killed between two commands"));
  const auto dead = co_await at.redis.command("LLEN", at.keys.own("dead"));
  if (dead.as_integer().value_or(0) > 0)
    out.push_back(finding("poison", "dead letters", fmt::format("{} messages", *dead.as_integer()),
                          "skirmish task deadletter list, then requeue or drop"));
}

awaitable<void> examine_workers(broker_view at, json_array& out) {
  // Named, here and below: g++ 12 miscompiles braces and ranges inside co_await.
  const json_object no_arguments;
  const std::vector<std::string> everybody;
  const auto stats = co_await broadcast(at, "stats", no_arguments, everybody, 1s);
  const auto registered = co_await broadcast(at, "registered", no_arguments, everybody, 1s);
  std::set<std::int64_t> timeouts;
  for (const auto& [node, s] : stats) {
    if (!s.is_object()) continue;
    const auto* own = s.get_object().if_contains("skirmish");
    if (own && own->is_object())
      if (const auto* t = own->get_object().if_contains("visibility_timeout_s"); t && t->is_int64())
        timeouts.insert(t->get_int64());
  }
  const auto confs = co_await broadcast(at, "conf", no_arguments, everybody, 1s);
  for (const auto& [node, c] : confs) {
    if (!c.is_object()) continue;
    const auto* options = c.get_object().if_contains("broker_transport_options");
    if (options && options->is_object())
      if (const auto* t = options->get_object().if_contains("visibility_timeout");
          t && t->is_int64())
        timeouts.insert(t->get_int64());
  }
  if (timeouts.size() > 1)
    out.push_back(finding("clashing visibility timeouts", "workers",
                          fmt::format("between {} and {} s; the shortest wins", *timeouts.begin(),
                                      *timeouts.rbegin()),
                          "give all workers of this broker the same"));
  std::set<std::string> names, twice;
  const auto alive = co_await workers(at);
  for (const auto& w : alive) {
    const auto* node = w.as_object().if_contains("node");
    if (node == nullptr || !node->is_string()) continue;
    if (!names.insert(std::string(node->get_string())).second)
      twice.insert(std::string(node->get_string()));
  }
  for (const auto& node : twice)
    out.push_back(finding("duplicate node name", node, "two instances answer to it",
                          "start workers with distinct -n"));
  std::set<std::string> known;
  for (const auto& [node, list] : registered)
    if (list.is_array())
      for (const auto& name : list.get_array())
        if (name.is_string()) {
          std::string text(name.get_string());
          known.insert(text.substr(0, text.find(" [")));
        }
  if (known.empty()) co_return;
  std::set<std::string> unknown;
  const auto all_queues = co_await queue_names(at);
  for (const auto& queue : all_queues) {
    const auto waiting = co_await at.redis.command("LRANGE", at.keys.queue(queue, 0), -100, -1);
    for (const auto& envelope : waiting.as_strings()) {
      message m(envelope);
      if (parse_envelope(m) && !m.task.starts_with("celery.") &&
          !known.contains(std::string(m.task)))
        unknown.insert(std::string(m.task));
    }
  }
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
  co_return out;
}

}  // namespace skirmish::tasks
