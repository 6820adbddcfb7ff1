#include "tasks/tasks_routes.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "tasks/admin/history.hpp"
#include "tasks/builtin_names.hpp"
#include "tasks/protocol/json_scan.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

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
constexpr std::size_t search_max_chars = 255;

// A text to search for, as people may type it.
result<std::string> search_text(const exchange& x, std::string_view name) {
  const auto text = x.query(name);
  if (const auto fault = text_fault(text, lines::one, 0, search_max_chars))
    return error{errc::invalid_argument, fmt::format("{} {}", name, *fault)};
  return std::string(text);
}

result<history_query> history_query_of(const exchange& x) {
  history_query q;
  auto states = parse_states(x.query("state"));
  if (!states) return states.error();
  q.states = std::move(*states);
  for (const auto& [name, to] : {std::pair{"name", &q.name}, std::pair{"worker", &q.worker},
                                 std::pair{"id", &q.id}, std::pair{"arguments", &q.arguments}}) {
    auto text = search_text(x, name);
    if (!text) return text.error();
    *to = std::move(*text);
  }
  q.limit = static_cast<std::size_t>(x.query_integer("limit"));
  q.cursor = x.query("cursor");
  q.since = parse_iso(x.query("since"));
  q.until = parse_iso(x.query("until"));
  const bool times_are_fine = q.since.has_value() != x.query("since").empty() &&
                              q.until.has_value() != x.query("until").empty();
  if (!times_are_fine) return error{errc::invalid_argument, "since and until are times (ISO 8601)"};
  return q;
}

using shared = std::shared_ptr<route_context>;

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
  m.id = random_uuid();
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
  const auto digest = digest_of(json_text_of(what));
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
  auto q = history_query_of(x);
  if (!q) co_return problem(q.error(), x.request_id);
  auto page = co_await read_history(r->view(), std::move(*q));
  if (!page) co_return problem(page.error(), x.request_id);
  json next;
  if (!page->next.empty()) next = page->next;
  json counts;
  if (page->counts) counts = std::move(*page->counts);
  co_return json_response(json_object{{"items", std::move(page->items)},
                                      {"next_cursor", std::move(next)},
                                      {"is_partial", page->is_partial},
                                      {"counts", std::move(counts)}});
}

}  // namespace

void add_task_routes(http::router& to, const std::shared_ptr<route_context>& r,
                     std::vector<std::string> queues) {
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
          {text_parameter("state", "only in this state, or in these: FAILURE,RETRY"),
           text_parameter("name", "only of this task"),
           text_parameter("worker", "only of this node"),
           text_parameter("id", "only with this part of an id"),
           text_parameter("arguments", "only with this text in their arguments, whatever its case"),
           text_parameter("since", "only with an event at or after this time"),
           text_parameter("until", "only with an event at or before this time"),
           http::limit_parameter(), http::cursor_parameter()},
          "Recorded from events, which workers must send (-E). Newest first, by the last event; a "
          "search by id or arguments in a long history by the first one. `is_partial`: it took too "
          "long; `next_cursor` goes on. `counts` by state, of what fits the other conditions, on "
          "the first page; null when counting would take too long."})
      .gives(200, schema::object({{"items", schema::array_of(schema::open_object())},
                                  {"next_cursor", schema::nullable(schema::text())},
                                  {"is_partial", schema::boolean()},
                                  {"counts", schema::nullable(schema::map_of(schema::count()))}}));
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
}

}  // namespace skirmish::tasks
