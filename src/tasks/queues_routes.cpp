// /api/queues and /api/workers, which are read from what is computed once per second for all;
// remote control; and the doctor.
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/tasks_routes.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using http::access;
using http::exchange;
using http::json_response;
using http::optional;
using http::problem;
using http::required;
using http::response;
using http::shape;
using http::verb;
namespace schema = http::schema;

using shared = std::shared_ptr<route_context>;

constexpr auto answer_timeout = 1s;
constexpr auto first_patience = 3s;  // for the first overview after a start
constexpr auto first_poll = 20ms;
constexpr auto overview_max_age = 15s;

awaitable<response> answer_overview(shared r, exchange& x, std::string overview::* which) {
  asio::steady_timer timer(r->io);
  const auto deadline = std::chrono::steady_clock::now() + first_patience;
  auto latest = r->board.latest();
  while (!latest && std::chrono::steady_clock::now() < deadline) {
    timer.expires_after(first_poll);
    co_await timer.async_wait(use_awaitable);
    latest = r->board.latest();
  }
  if (!latest || std::chrono::steady_clock::now() - latest->at > overview_max_age)
    co_return problem({errc::unavailable, "Redis does not answer"}, x.request_id);
  co_return http::text_response((*latest).*which, "application/json");
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

// A node's name contains '@', which an id cannot: the routes take the part before it, or `all`,
// which is no destination. not_found when nobody has that name.
awaitable<result<std::vector<std::string>>> destination_of(shared r, std::string name) {
  std::vector<std::string> to;
  if (name == "all") co_return to;
  const auto listed = co_await workers(r->view());
  to = nodes_called(name, listed);
  if (to.empty()) {
    const auto answering = co_await all_workers(r);
    to = nodes_called(name, answering);
  }
  if (to.empty()) co_return error{errc::not_found, "there is no such worker"};
  co_return to;
}

// Those that change nothing, and need no arguments.
constexpr std::array<std::string_view, 11> questions{
    "ping",    "stats",         "active", "reserved", "scheduled", "registered",
    "revoked", "active_queues", "conf",   "report",   "clock"};
constexpr std::array<std::string_view, 15> orders{
    "memsample",       "query_task",    "revoke",         "rate_limit",   "time_limit",
    "pool_grow",       "pool_shrink",   "autoscale",      "pool_restart", "add_consumer",
    "cancel_consumer", "enable_events", "disable_events", "heartbeat",    "shutdown"};

bool is_question(std::string_view command) {
  return std::find(questions.begin(), questions.end(), command) != questions.end();
}

response answers_of(json_object answers) {
  return http::text_response(
      to_json_text(json_object{{"answers", std::move(answers)}}, json_dialect::strict),
      "application/json");
}

awaitable<response> inquire(shared r, exchange& x) {
  if (!is_question(x.path("command")))
    co_return problem({errc::not_found, "there is no such question"}, x.request_id);
  auto to = co_await destination_of(r, x.path("name"));
  if (!to) co_return problem(to.error(), x.request_id);
  const json_object no_arguments;
  auto answers =
      co_await broadcast(r->view(), x.path("command"), no_arguments, *to, answer_timeout);
  co_return answers_of(std::move(answers));
}

awaitable<response> command(shared r, exchange& x) {
  const auto& method = x.path("command");
  if (!is_question(method) && std::find(orders.begin(), orders.end(), method) == orders.end())
    co_return problem({errc::not_found, "there is no such command"}, x.request_id);
  auto to = co_await destination_of(r, x.path("name"));
  if (!to) co_return problem(to.error(), x.request_id);
  const auto* queue = x.body.as_object().if_contains("queue");
  if (queue && !(queue->is_string() && is_queue_name(queue->get_string())))
    co_return problem({errc::invalid_argument,
                       "queue must be a name: A-Z a-z 0-9 _ . -, and none "
                       "that something else in Redis has"},
                      x.request_id);
  auto answers = co_await broadcast(r->view(), method, x.body.as_object(), *to, answer_timeout);
  r->board.ask();
  co_return answers_of(std::move(answers));
}

awaitable<response> examine(shared r, exchange&) {
  auto found = co_await diagnose(r->view());
  co_return http::text_response(
      to_json_text(json_object{{"items", std::move(found)}, {"next_cursor", nullptr}},
                   json_dialect::strict),
      "application/json");
}

std::optional<response> refuse_queue(const exchange& x) {
  if (is_queue_name(x.path("name"))) return std::nullopt;
  return problem({errc::not_found, "a queue cannot have this name"}, x.request_id);
}

awaitable<response> pause(shared r, exchange& x, bool paused) {
  if (auto no = refuse_queue(x)) co_return std::move(*no);
  const auto ok = co_await set_paused(r->view(), x.path("name"), paused);
  if (!ok) co_return problem(ok.error(), x.request_id);
  r->board.ask();
  co_return http::no_content();
}

awaitable<response> empty(shared r, exchange& x) {
  if (auto no = refuse_queue(x)) co_return std::move(*no);
  if (x.text("confirm") != x.path("name"))
    co_return problem({errc::invalid_argument, "confirm must be the name of the queue"},
                      x.request_id);
  const auto purged = co_await purge(r->view(), x.path("name"));
  if (!purged) co_return problem(purged.error(), x.request_id);
  r->board.ask();
  co_return json_response(json_object{{"purged", *purged}});
}

json worker_form() {
  return schema::object({{"node", schema::text()},
                         {"state", schema::word({"online", "lost"})},
                         {"kind", schema::word({"celery", "skirmish"})},
                         {"last_heartbeat", schema::text()},
                         {"lost_at", schema::text(), optional},
                         {"instance", schema::text(), optional},
                         {"host", schema::text(), optional},
                         {"pid", schema::text(), optional},
                         {"started", schema::text(), optional},
                         {"returned", schema::count(), optional},
                         {"queues", schema::array_of(schema::text()), optional},
                         {"active", schema::anything(), optional},
                         {"processed", schema::anything(), optional},
                         {"loadavg", schema::anything(), optional},
                         {"software", schema::text(), optional}});
}

json queue_form() {
  const auto number = schema::nullable(schema::number());
  return schema::object({{"name", schema::text()},
                         {"depth", schema::count()},
                         {"by_priority", schema::map_of(schema::count())},
                         {"unacked", schema::nullable(schema::count())},
                         {"oldest_age_s", number},
                         {"in_per_s", number},
                         {"out_per_s", number},
                         {"drain_s", number},
                         {"paused", schema::boolean()},
                         {"consumers", schema::count()}});
}

// A list without pages, and when it was computed.
json list_form(json item, const std::vector<schema::property>& more = {}) {
  std::vector<schema::property> members{{"items", schema::array_of(std::move(item))},
                                        {"next_cursor", json{{"type", "null"}}},
                                        {"computed_at", schema::text()}};
  members.insert(members.end(), more.begin(), more.end());
  return schema::object(members);
}

}  // namespace

void add_queue_routes(http::router& to, const std::shared_ptr<route_context>& r) {
  to.add({verb::get,
          "/api/workers",
          access::admin,
          "Workers that are alive, and those that were lost in the last hour",
          [r](exchange& x) { return answer_overview(r, x, &overview::workers); },
          {},
          {},
          "Computed once per second. Python workers are found within five seconds."})
      .gives(200, list_form(worker_form()));
  to.add({verb::get,
          "/api/queues",
          access::admin,
          "Queues: waiting and held messages, rates, and the age of the oldest message",
          [r](exchange& x) { return answer_overview(r, x, &overview::queues); },
          {},
          {},
          "Computed once per second. Rates are means of the last ten seconds. `unacked` is null "
          "when more than 1,000 messages are held, `drain_s` when the queue does not shrink."})
      .gives(200, list_form(queue_form(), {{"is_truncated", schema::boolean()}}));
  for (const bool paused : {true, false})
    to.add({verb::post,
            paused ? "/api/queues/{name}/pause" : "/api/queues/{name}/resume",
            access::admin,
            paused ? "C++ workers stop serving a queue" : "C++ workers serve a queue again",
            [r, paused](exchange& x) { return pause(r, x, paused); },
            {},
            {},
            "204."})
        .gives_nothing()
        .refuses({404, 409});
  to.add({verb::post, "/api/queues/{name}/purge", access::admin,
          "Remove all messages that wait in a queue", [r](exchange& x) { return empty(r, x); },
          shape::object({{"confirm", shape::line(1, 64), required, "the queue's name again"},
                         {"reason", shape::line(1, 500), required, "for the audit log"}})})
      .gives(200, schema::object({{"purged", schema::count()}}))
      .refuses({404, 409});
  to.add({verb::post, "/api/workers/{name}/{command}", access::admin,
          "Remote control of the node with this name before the @, or of `all`; the body holds the "
          "arguments",
          [r](exchange& x) { return command(r, x); }, shape::any_object()})
      .gives(200, schema::object({{"answers", schema::map_of(schema::anything())}}))
      .refuses({404});
  to.add({verb::get, "/api/workers/{name}/{command}", access::admin,
          "The same for commands that change nothing: ping, stats, active, reserved, scheduled, "
          "registered, revoked, active_queues, conf, report, clock",
          [r](exchange& x) { return inquire(r, x); }})
      .gives(200, schema::object({{"answers", schema::map_of(schema::anything())}}))
      .refuses({404});
  to.add({verb::get,
          "/api/doctor",
          access::admin,
          "What is known to go wrong on a broker, as `skirmish task doctor` finds it",
          [r](exchange& x) { return examine(r, x); },
          {},
          {},
          "It walks through all keys of the broker."})
      .gives(200, schema::object(
                      {{"items", schema::array_of(schema::object({{"problem", schema::text()},
                                                                  {"subject", schema::text()},
                                                                  {"detail", schema::text()},
                                                                  {"cure", schema::text()}}))},
                       {"next_cursor", json{{"type", "null"}}}}));
}

}  // namespace skirmish::tasks
