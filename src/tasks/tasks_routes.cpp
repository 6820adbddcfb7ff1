#include "tasks/tasks_routes.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/parse.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "tasks/admin/history.hpp"
#include "tasks/builtin_names.hpp"
#include "tasks/protocol/json_scan.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/uuid.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using http::access;
using http::exchange;
using http::json_response;
using http::member;
using http::optional;
using http::problem;
using http::required;
using http::response;
using http::shape;
using http::verb;
namespace schema = http::schema;

constexpr auto answer_timeout = 1s;
constexpr auto retry_limit = 30s;  // a caller does not wait for longer

// Arguments and results of tasks, with their numbers unchanged.
response exact_response(const json& body) {
  return http::text_response(to_json_text(body, json_dialect::strict), "application/json");
}
// The largest offset in a cursor: more tasks than any history holds.
constexpr std::int64_t history_offset_max = 1'000'000'000;

struct routes {
  asio::io_context& io;
  redis::client& broker;
  key_names keys;

  [[nodiscard]] broker_view view() const { return {io, broker, keys}; }
};
using shared = std::shared_ptr<routes>;

// The members and units of Celery's retry_policy.
shape retry_policy_shape() {
  return shape::object(
      {{"max_retries", shape::integer(0, 100), optional, "default 3"},
       {"interval_start", shape::number(0, 30), optional,
        "seconds before the first retry, default 0"},
       {"interval_step", shape::number(0, 30), optional, "seconds more each time, default 0.2"},
       {"interval_max", shape::number(0, 30), optional, "seconds at most, default 0.5"}});
}

shape call_shape(std::vector<std::string> queues) {
  return shape::object(
      {{"name", shape::line(1, 255), required, "the task's registered name"},
       {"args", shape::array_of(shape::anything(), 1000), optional, "positional arguments"},
       {"kwargs", shape::any_object(), optional, "keyword arguments"},
       {"queue", shape::word(std::move(queues)), optional,
        "default: skirmish for its own tasks, else celery"},
       {"countdown_s", shape::number(0, 1e9), optional, "seconds to wait"},
       {"eta", shape::time(), optional, "not before"},
       {"expires", shape::time(), optional, "not after"},
       {"expires_s", shape::number(0, 1e9), optional, "seconds after which it does not start"},
       {"priority", shape::integer(0, 9), optional, "0 is served first"},
       {"retry", shape::boolean(), optional,
        "true: retry when Redis fails; the task is sent once at most. Default: true with a "
        "retry_policy, else false"},
       {"retry_policy", retry_policy_shape(), optional,
        "how often and how fast sending is retried, for 30 seconds at most"}});
}

// The member of the body under a name, with its numbers unchanged.
json exact_member(const exchange& x, std::string_view name) {
  std::optional<json> exact;
  json_scanner(x.req.body).object([&](std::string_view key, std::string_view token) {
    if (key != name) return;
    if (auto parsed = parse_json(token)) exact = std::move(*parsed);
  });
  return exact ? std::move(*exact) : x.body.as_object().at(name);
}

result<void> read_times(const exchange& x, outgoing& m) {
  const auto& body = x.body.as_object();
  const auto seconds_from_now = [&body](std::string_view name) -> std::optional<wall_time> {
    const auto* s = body.if_contains(name);
    if (s == nullptr) return std::nullopt;
    return wall_now() +
           std::chrono::microseconds(static_cast<std::int64_t>(s->to_number<double>() * 1e6));
  };
  for (const auto& [at, in_s] :
       {std::pair{"eta", "countdown_s"}, std::pair{"expires", "expires_s"}})
    if (body.contains(at) && body.contains(in_s))
      return error{errc::invalid_argument, fmt::format("give either {} or {}", at, in_s)};
  m.eta = seconds_from_now("countdown_s");
  m.expires = seconds_from_now("expires_s");
  if (const auto eta = x.text("eta")) m.eta = parse_iso(*eta);
  if (const auto expires = x.text("expires")) m.expires = parse_iso(*expires);
  return {};
}

// Returns nullopt when sending is not to be retried.
std::optional<publish_retry> retry_of(const exchange& x) {
  const auto& body = x.body.as_object();
  const auto* given = body.if_contains("retry_policy");
  const auto* wanted = body.if_contains("retry");
  if (wanted ? !wanted->as_bool() : given == nullptr) return std::nullopt;
  publish_retry policy;
  if (given == nullptr) return policy;
  const auto& fields = given->as_object();
  if (const auto* n = fields.if_contains("max_retries")) policy.max_retries = n->to_number<int>();
  for (const auto& [name, to] : {std::pair{"interval_start", &policy.interval_start},
                                 std::pair{"interval_step", &policy.interval_step},
                                 std::pair{"interval_max", &policy.interval_max}})
    if (const auto* s = fields.if_contains(name))
      *to = milliseconds(static_cast<std::int64_t>(s->to_number<double>() * 1000));
  return policy;
}

result<outgoing> message_of(const exchange& x) {
  const auto& body = x.body.as_object();
  outgoing m;
  m.task = *x.text("name");
  // What it posts is signed: nobody else may choose it.
  if (m.task == builtin::status_webhook)
    return error{errc::invalid_argument, "only the server itself sends status_webhook"};
  m.id = new_uuid();
  m.queue = x.text("queue").value_or(builtin::queue_of(m.task));
  m.priority = static_cast<int>(x.integer("priority").value_or(0));
  if (body.contains("args")) m.args = exact_member(x, "args").as_array();
  if (body.contains("kwargs")) m.kwargs = exact_member(x, "kwargs").as_object();
  if (const auto ok = read_times(x, m); !ok) return ok.error();
  return m;
}

// The key under which a message is sent once, and for how long that holds.
struct once_key {
  std::string key;
  std::string digest;
  milliseconds remember;
};

// Each API key has Idempotency-Keys of its own. The retry policy is not part of the task, so it is
// not part of the digest.
once_key once_key_of(const exchange& x, const outgoing& m) {
  const auto sent = x.req.header("idempotency-key");
  auto what = x.body.as_object();
  for (const auto* how : {"retry", "retry_policy"}) what.erase(how);
  const auto digest = digest_of(boost::json::serialize(what));
  if (sent.empty()) return {"request:" + m.id, digest, 1min};
  return {fmt::format("request:{}@{}", x.who.id, sent), digest, 24h};
}

// Retries as the policy says, within the time limit. A lost reply is retried too, because a task is
// sent once per key.
awaitable<result<std::string>> publish_persistently(shared r, outgoing m, once_key once,
                                                    publish_retry policy) {
  asio::steady_timer timer(r->io);
  const auto until = std::chrono::steady_clock::now() + retry_limit;
  auto pause = std::min(policy.interval_start, policy.interval_max);
  for (int tries = 0;; ++tries) {
    try {
      co_await r->broker.wait_connected(answer_timeout);
      co_return co_await publish_once(r->view(), m, once.key, once.digest, once.remember);
    } catch (const failure&) {
      if (tries >= policy.max_retries || std::chrono::steady_clock::now() + pause >= until) throw;
    }
    timer.expires_after(pause);
    co_await timer.async_wait(use_awaitable);
    pause = std::min(pause + policy.interval_step, policy.interval_max);
  }
}

awaitable<response> create(shared r, exchange& x) {
  const auto m = message_of(x);
  if (!m) co_return problem(m.error(), x.request_id);
  const std::string key(x.req.header("idempotency-key"));
  if (!key.empty() && !is_valid_id(key))
    co_return problem({errc::invalid_argument, "Idempotency-Key must be an id"}, x.request_id);
  const auto policy = retry_of(x);
  const auto once = once_key_of(x, *m);
  result<std::string> id = m->id;
  if (policy)
    id = co_await publish_persistently(r, *m, once, *policy);
  else if (!key.empty())
    id = co_await publish_once(r->view(), *m, once.key, once.digest, once.remember);
  else
    co_await publish(r->view(), *m);
  if (!id) co_return problem(422, id.error(), x.request_id);
  auto answer = json_response(
      json_object{{"id", *id}, {"name", m->task}, {"queue", m->queue}, {"state", "PENDING"}}, 202);
  answer.with("Location", "/api/tasks/" + *id);
  co_return answer;
}

awaitable<response> read(shared r, exchange& x) {
  const auto found = co_await read_task(r->view(), x.path("id"));
  co_return found ? exact_response(*found) : problem(found.error(), x.request_id);
}

awaitable<response> remove(shared r, exchange& x) {
  co_await revoke(r->view(), x.path("id"), x.query("terminate") == "true");
  co_return http::no_content();
}

awaitable<response> list(shared r, exchange& x) {
  history_query q;
  q.state = x.query("state");
  q.name = x.query("name");
  q.worker = x.query("worker");
  q.limit = static_cast<std::size_t>(x.query_integer("limit"));
  if (!x.query("cursor").empty()) {
    const auto offset = parse_natural(x.query("cursor"));
    if (!offset || *offset > history_offset_max)
      co_return problem({errc::invalid_argument, "this cursor is not one of ours"}, x.request_id);
    q.offset = static_cast<std::size_t>(*offset);
  }
  q.since = parse_iso(x.query("since"));
  q.until = parse_iso(x.query("until"));
  const bool times_are_fine = q.since.has_value() != x.query("since").empty() &&
                              q.until.has_value() != x.query("until").empty();
  if (!times_are_fine)
    co_return problem({errc::invalid_argument, "since and until are times (ISO 8601)"},
                      x.request_id);
  auto page = co_await read_history(r->view(), std::move(q));
  json next = page.next ? json(std::to_string(*page.next)) : json();
  co_return json_response(
      json_object{{"items", std::move(page.items)}, {"next_cursor", std::move(next)}});
}

// C++ workers, which are registered in Redis, and Python workers, which answer a ping.
awaitable<json_array> all_workers(shared r) {
  auto items = co_await workers(r->view());
  const json_object no_arguments;
  const std::vector<std::string> everybody;
  const auto pings = co_await broadcast(r->view(), "ping", no_arguments, everybody, answer_timeout);
  for (const auto& [node, pong] : pings) {
    const auto known = std::any_of(items.begin(), items.end(), [&](const json& w) {
      const auto* name = w.as_object().if_contains("node");
      return name && *name == json(std::string(node));
    });
    if (!known) items.push_back(json_object{{"node", std::string(node)}});
  }
  co_return items;
}

awaitable<response> list_workers(shared r, exchange&) {
  auto items = co_await all_workers(r);
  co_return json_response(json_object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

// The nodes with this name before the '@'.
std::vector<std::string> nodes_called(std::string_view short_name, const json_array& of) {
  std::vector<std::string> out;
  for (const auto& w : of) {
    const auto* node = w.as_object().if_contains("node");
    if (node == nullptr || !node->is_string()) continue;
    std::string name(node->get_string());
    if (name.substr(0, name.find('@')) == short_name) out.push_back(std::move(name));
  }
  return out;
}

awaitable<response> list_queues(shared r, exchange&) {
  auto items = co_await queues(r->view());
  co_return json_response(json_object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

// A node's name contains '@', which an id cannot: the route takes the part before it, or `all`.
awaitable<response> command(shared r, exchange& x) {
  std::vector<std::string> to;
  if (x.path("name") != "all") {
    const auto listed = co_await workers(r->view());
    to = nodes_called(x.path("name"), listed);
    if (to.empty()) {
      const auto answering = co_await all_workers(r);
      to = nodes_called(x.path("name"), answering);
    }
    if (to.empty()) co_return problem({errc::not_found, "there is no such worker"}, x.request_id);
  }
  static const std::array allowed{
      "ping",         "stats",           "active",        "reserved",       "scheduled",
      "registered",   "revoked",         "active_queues", "conf",           "report",
      "clock",        "memsample",       "query_task",    "revoke",         "rate_limit",
      "time_limit",   "pool_grow",       "pool_shrink",   "autoscale",      "pool_restart",
      "add_consumer", "cancel_consumer", "enable_events", "disable_events", "heartbeat",
      "shutdown"};
  const auto& method = x.path("command");
  if (std::find(allowed.begin(), allowed.end(), method) == allowed.end())
    co_return problem({errc::not_found, "there is no such command"}, x.request_id);
  const auto* queue = x.body.as_object().if_contains("queue");
  if (queue && !(queue->is_string() && is_queue_name(queue->get_string())))
    co_return problem({errc::invalid_argument,
                       "queue must be a name: A-Z a-z 0-9 _ . -, and none "
                       "that something else in Redis has"},
                      x.request_id);
  auto answers =
      co_await broadcast(r->view(), method, x.body.as_object(), std::move(to), answer_timeout);
  co_return exact_response(json_object{{"answers", std::move(answers)}});
}

}  // namespace

void add_routes(http::router& to, asio::io_context& io, redis::client& broker, key_names keys,
                std::vector<std::string> queues) {
  auto r = std::make_shared<routes>(routes{io, broker, std::move(keys)});
  const auto text_parameter = [](const char* name, const char* what) {
    return http::query_parameter{name, what, std::nullopt, std::nullopt};
  };
  to.add({verb::post,
          "/api/tasks",
          access::server,
          "Send a task to C++ or Python workers, once per Idempotency-Key",
          [r](exchange& x) { return create(r, x); },
          call_shape(std::move(queues)),
          {},
          "202 with the id"})
      .takes_header("Idempotency-Key", "a task sent again with the same key is sent once",
                    schema::id())
      .gives(202, schema::object({{"id", schema::id()},
                                  {"name", schema::text()},
                                  {"queue", schema::text()},
                                  {"state", schema::text()}}))
      .refuses({409, 422});
  to.add({verb::get,
          "/api/tasks",
          access::server,
          "Tasks in the history, newest first",
          [r](exchange& x) { return list(r, x); },
          {},
          {text_parameter("state", "only in this state"),
           text_parameter("name", "only of this task"),
           text_parameter("worker", "only of this node"),
           text_parameter("since", "only with an event at or after this time"),
           text_parameter("until", "only with an event at or before this time"),
           http::limit_parameter(), http::cursor_parameter()},
          "Recorded from events, which workers must send (-E)"})
      .gives(200, schema::page_of(schema::open_object()));
  to.add({verb::get, "/api/tasks/{id}", access::server, "A task's state and result",
          [r](exchange& x) { return read(r, x); }})
      .gives(200, schema::open_object())
      .refuses({404});
  to.add({verb::delete_,
          "/api/tasks/{id}",
          access::server,
          "Revoke a task",
          [r](exchange& x) { return remove(r, x); },
          {},
          {{"terminate",
            "true: end it even if it runs",
            "false",
            {},
            schema::word({"true", "false"})}},
          "204."})
      .gives_nothing();
  to.add({verb::get, "/api/workers", access::admin, "Workers that are alive",
          [r](exchange& x) { return list_workers(r, x); }})
      .gives(200, schema::page_of(
                      schema::object({{"node", schema::text()},
                                      {"instance", schema::text(), optional},
                                      {"last_heartbeat", schema::text(), optional},
                                      {"host", schema::text(), optional},
                                      {"pid", schema::text(), optional},
                                      {"started", schema::text(), optional},
                                      {"queues", schema::array_of(schema::text()), optional}})));
  to.add({verb::get, "/api/queues", access::admin, "Queues and their waiting messages",
          [r](exchange& x) { return list_queues(r, x); }})
      .gives(200, schema::page_of(schema::object({{"name", schema::text()},
                                                  {"depth", schema::count()},
                                                  {"by_priority", schema::map_of(schema::count())},
                                                  {"paused", schema::boolean()},
                                                  {"consumers", schema::count()}})));
  to.add({verb::post, "/api/workers/{name}/{command}", access::admin,
          "Remote control of the node with this name before the @, or of `all`; the body holds the "
          "arguments",
          [r](exchange& x) { return command(r, x); }, shape::any_object()})
      .gives(200, schema::object({{"answers", schema::map_of(schema::anything())}}))
      .refuses({404});
}

}  // namespace skirmish::tasks
