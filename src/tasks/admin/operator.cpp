#include "tasks/admin/operator.hpp"

#include "core/parse.hpp"
#include "redis/damaged_keys.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/uuid.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t scan_count = 1000;
constexpr std::size_t scheduled_part = 100;
constexpr std::int64_t paused_limit = 1'000;  // each fetch reads them all

awaitable<void> pause(asio::io_context& io, std::chrono::milliseconds how_long) {
  asio::steady_timer timer(io, how_long);
  co_await timer.async_wait(use_awaitable);
}

}  // namespace

awaitable<std::vector<std::string>> keys_like(broker_view at, std::string pattern) {
  std::vector<std::string> out;
  std::string cursor = "0";
  do {
    const auto reply = redis::checked(
        co_await at.redis.command("SCAN", cursor, "MATCH", pattern, "COUNT", scan_count));
    cursor = reply[0].as_string();
    for (auto& key : reply[1].as_strings()) out.push_back(std::move(key));
  } while (cursor != "0");
  co_return out;
}

awaitable<std::vector<std::string>> queue_names(broker_view at) {
  std::set<std::string> names;
  const auto prefix = at.keys.binding("");
  const auto bound = co_await keys_like(at, prefix + "*");
  for (const auto& key : bound) {
    auto name = key.substr(prefix.size());
    if (name == "celeryev" || name.ends_with("celery.pidbox")) continue;
    names.insert(std::move(name));
  }
  const auto all =
      redis::checked(co_await at.redis.command("ZRANGE", at.keys.own("workers"), 0, -1));
  for (const auto& instance : all.as_strings()) {
    const auto served = redis::checked(
        co_await at.redis.command("HGET", at.keys.own("worker:", instance), "queues"));
    const auto& text = served.as_string();
    for (std::size_t from = 0; from < text.size();) {
      const auto comma = std::min(text.find(',', from), text.size());
      names.insert(text.substr(from, comma - from));
      from = comma + 1;
    }
  }
  co_return std::vector<std::string>(names.begin(), names.end());
}

namespace {

// A queue becomes known by its binding, as with Celery's clients.
void push_binding(redis::request& to, const key_names& keys, const std::string& queue) {
  to.push("SADD", keys.binding(queue), binding_member(queue, queue));
  to.push("SADD", keys.own("queues"), queue);
}

}  // namespace

awaitable<void> publish(broker_view at, outgoing m) {
  const auto to = address(at.keys, m);
  redis::request send;
  push_binding(send, at.keys, m.queue);
  send.push("LPUSH", to.list, to.envelope);
  redis::checked(co_await at.redis.exec(std::move(send)));
}

awaitable<result<std::string>> publish_once(broker_view at, outgoing m, std::string key,
                                            std::string digest, milliseconds remember) {
  const auto to = address(at.keys, m);
  redis::request bind;
  push_binding(bind, at.keys, m.queue);
  redis::checked(co_await at.redis.exec(std::move(bind)));
  const auto once = at.keys.own("once:", key);
  const auto remember_ms = std::to_string(remember.count());
  const std::vector<std::string_view> keys{once, to.list};
  // The script stores and returns any text: here the id and the digest.
  const auto mine = m.id + ' ' + digest;
  const std::vector<std::string_view> args{mine, remember_ms, to.envelope};
  const auto kept =
      redis::checked(co_await at.redis.eval(scripts::publish_once, keys, args)).as_string();
  const auto space = std::min(kept.find(' '), kept.size());
  if (kept.substr(space) != mine.substr(m.id.size()))
    co_return error{errc::conflict, "this Idempotency-Key was sent with another body"};
  co_return kept.substr(0, space);
}

awaitable<json_object> broadcast(broker_view at, std::string method, json_object arguments,
                                 std::vector<std::string> destinations, milliseconds timeout) {
  const auto answers = co_await gather(at, std::move(method), std::move(arguments),
                                       std::move(destinations), timeout);
  json_object out;
  for (const auto& [node, answer] : answers) out[node] = answer;
  co_return out;
}

awaitable<std::vector<std::pair<std::string, json>>> gather(broker_view at, std::string method,
                                                            json_object arguments,
                                                            std::vector<std::string> destinations,
                                                            milliseconds timeout) {
  const auto oid = new_uuid();
  const auto list_name = oid + ".reply.celery.pidbox";
  const auto list = at.keys.prefix + list_name;
  const auto binding = at.keys.binding("reply.celery.pidbox");
  const auto member = oid + std::string(separator) + std::string(separator) + list_name;
  const auto wanted = destinations.size();
  control_address to{std::move(destinations), oid, new_uuid()};
  const auto request_envelope = control_request(method, std::move(arguments), to);
  redis::request send;
  send.push("SADD", binding, member);
  send.push("PUBLISH", at.keys.pidbox(), request_envelope);
  redis::checked(co_await at.redis.exec(std::move(send)));
  std::vector<std::pair<std::string, json>> answers;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < deadline && (wanted == 0 || answers.size() < wanted)) {
    const auto reply = redis::checked(co_await at.redis.command("RPOP", list, 100));
    for (const auto& envelope : reply.as_strings()) {
      const auto body = plain_body(envelope);
      if (!body || !body->is_object()) continue;
      for (const auto& [node, answer] : body->get_object())
        answers.emplace_back(std::string(node), answer);
    }
    co_await pause(at.io, 10ms);
  }
  redis::request done;
  done.push("SREM", binding, member);
  done.push("DEL", list);
  redis::checked(co_await at.redis.exec(std::move(done)));
  co_return answers;
}

awaitable<json_array> queues(broker_view at) {
  json_array out;
  const auto paused =
      redis::checked(co_await at.redis.command("SMEMBERS", at.keys.own("paused"))).as_strings();
  json_object consumers;
  const auto alive = co_await workers(at);
  const auto names = co_await queue_names(at);
  for (const auto& name : names) {
    redis::request ask;
    for (const int step : priority_steps) ask.push("LLEN", at.keys.queue(name, step));
    const auto lengths = redis::checked(co_await at.redis.exec(std::move(ask)));
    std::int64_t depth = 0;
    json_object by_priority;
    for (std::size_t i = 0; i < priority_steps.size(); ++i) {
      const auto n = lengths[i].as_integer().value_or(0);
      depth += n;
      by_priority[std::to_string(priority_steps[i])] = n;
    }
    std::int64_t serving = 0;
    for (const auto& one : alive) {
      const auto& served = one.as_object().at("queues").as_array();
      serving += std::count(served.begin(), served.end(), json(name));
    }
    out.push_back(
        json_object{{"name", name},
                    {"depth", depth},
                    {"by_priority", std::move(by_priority)},
                    {"paused", std::find(paused.begin(), paused.end(), name) != paused.end()},
                    {"consumers", serving}});
  }
  co_return out;
}

awaitable<json_array> workers(broker_view at) {
  json_array out;
  const auto all = redis::checked(
      co_await at.redis.command("ZRANGE", at.keys.own("workers"), 0, -1, "WITHSCORES"));
  // RESP3 answers with pairs, RESP2 with a flat list.
  std::vector<std::pair<std::string, double>> beats;
  for (const auto& item : all.elements())
    if (item.is_aggregate() && item.size() == 2)
      beats.emplace_back(item[0].as_string(), item[1].as_double().value_or(0));
  if (beats.empty()) co_return out;
  redis::request ask;
  for (const auto& [instance, beat] : beats) ask.push("HGETALL", at.keys.own("worker:", instance));
  const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
  for (std::size_t i = 0; i < beats.size(); ++i) {
    const auto& [instance, beat] = beats[i];
    const auto& about = replies[i];
    json_object one{{"instance", instance}, {"last_heartbeat", to_iso(from_unix_s(beat))}};
    json_array served;
    for (const auto& [field, text] : about.as_pairs()) {
      if (field == "queues") {
        for (std::size_t from = 0; from < text.size();) {
          const auto comma = std::min(text.find(',', from), text.size());
          served.push_back(json(text.substr(from, comma - from)));
          from = comma + 1;
        }
      } else if (field == "node" || field == "host" || field == "pid") {
        one[field] = text;
      } else if (field == "returned") {
        one[field] = parse_integer(text).value_or(0);
      } else if (field == "started") {
        one[field] = to_iso(from_unix_s(std::strtod(text.c_str(), nullptr)));
      }
    }
    one["queues"] = std::move(served);
    out.push_back(std::move(one));
  }
  co_return out;
}

awaitable<result<std::int64_t>> purge(broker_view at, std::string queue) {
  redis::request look;
  for (const int step : priority_steps) look.push("TYPE", at.keys.queue(queue, step));
  const auto types = redis::checked(co_await at.redis.exec(std::move(look)));
  for (const auto& type : types)
    if (type.as_string() != "list" && type.as_string() != "none")
      co_return redis::damaged_key(queue);
  redis::request all;
  all.push("MULTI");
  for (const int step : priority_steps) all.push("LLEN", at.keys.queue(queue, step));
  for (const int step : priority_steps) all.push("UNLINK", at.keys.queue(queue, step));
  all.push("EXEC");
  const auto replies = redis::checked(co_await at.redis.exec(std::move(all)));
  std::int64_t count = 0;
  for (std::size_t i = 0; i < priority_steps.size(); ++i)
    count += replies.back()[i].as_integer().value_or(0);
  co_return count;
}

awaitable<result<void>> set_paused(broker_view at, std::string queue, bool paused) {
  const auto key = at.keys.own("paused");
  if (paused) {
    const auto count = redis::checked(co_await at.redis.command("SCARD", key));
    if (count.as_integer().value_or(0) >= paused_limit)
      co_return error{errc::conflict, "too many queues are paused"};
  }
  const auto* command = paused ? "SADD" : "SREM";
  redis::checked(co_await at.redis.command(command, key, queue));
  co_return result<void>{};
}

awaitable<void> revoke(broker_view at, std::string id, bool terminate) {
  const std::vector<std::string> one{std::move(id)};
  co_await revoke_all(at, one, terminate);
}

awaitable<void> revoke_all(broker_view at, std::vector<std::string> ids, bool terminate) {
  if (ids.empty()) co_return;
  const auto until = std::chrono::duration_cast<std::chrono::seconds>(
      (std::chrono::system_clock::now() + revoke_memory).time_since_epoch());
  redis::request both;
  json_array names;
  for (const auto& id : ids) {
    both.push("ZADD", at.keys.own("revoked"), until.count(), id);
    names.push_back(json(id));
  }
  json_object arguments{{"terminate", terminate}, {"signal", "SIGTERM"}};
  // One as Celery's own clients send it.
  arguments["task_id"] = ids.size() == 1 ? json(ids[0]) : json(std::move(names));
  both.push("PUBLISH", at.keys.pidbox(), control_request("revoke", std::move(arguments), {}));
  redis::checked(co_await at.redis.exec(std::move(both)));
}

awaitable<std::int64_t> release_scheduled(broker_view at) {
  std::int64_t moved = 0;
  const auto eta = at.keys.own("eta");
  while (true) {
    const auto part =
        redis::checked(co_await at.redis.command("ZRANGE", eta, 0, scheduled_part - 1))
            .as_strings();
    if (part.empty()) co_return moved;
    redis::request move;
    move.push("MULTI");
    for (const auto& member : part) {
      const auto cut = member.find('\n');
      move.push("LPUSH", member.substr(0, cut), member.substr(cut + 1));
      move.push("ZREM", eta, member);
    }
    move.push("EXEC");
    redis::checked(co_await at.redis.exec(std::move(move)));
    moved += static_cast<std::int64_t>(part.size());
  }
}

}  // namespace skirmish::tasks
