// /api/dead-letters and /api/schedules.
#include "tasks/admin/schedules.hpp"

#include "core/parse.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "tasks/admin/dead_letters.hpp"
#include "tasks/builtin_names.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/tasks_routes.hpp"

namespace skirmish::tasks {
namespace {

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

constexpr std::size_t ids_limit = 1'000;

// ---- dead letters
// --------------------------------------------------------------------------------

awaitable<response> list_letters(shared r, exchange& x) {
  std::optional<std::int64_t> older;
  if (!x.query("cursor").empty()) {
    older = parse_natural(x.query("cursor"));
    if (!older)
      co_return problem({errc::invalid_argument, "this cursor is not one of ours"}, x.request_id);
  }
  const auto limit = static_cast<std::size_t>(x.query_integer("limit"));
  auto page = co_await read_dead_letters(r->view(), limit, older);
  json next;
  if (page.next) next = std::to_string(*page.next);
  const json_object body{
      {"items", std::move(page.items)}, {"next_cursor", std::move(next)}, {"total", page.total}};
  co_return http::text_response(to_json_text(body, json_dialect::strict), "application/json");
}

// The task ids of the body, or none for all; an error unless it names one of both.
result<std::vector<std::string>> letters_of(const exchange& x) {
  const auto& body = x.body.as_object();
  const auto* ids = body.if_contains("ids");
  const auto* all = body.if_contains("all");
  std::vector<std::string> out;
  if (ids)
    for (const auto& id : ids->as_array()) out.emplace_back(id.as_string());
  const bool wants_all = all && all->as_bool();
  if (wants_all == !out.empty())
    return error{errc::invalid_argument, "give either ids or \"all\": true"};
  return out;
}

awaitable<response> requeue(shared r, exchange& x) {
  auto ids = letters_of(x);
  if (!ids) co_return problem(ids.error(), x.request_id);
  const auto sent = co_await requeue_dead_letters(r->view(), std::move(*ids));
  r->board.ask();
  co_return json_response(json_object{{"requeued", sent}});
}

awaitable<response> drop(shared r, exchange& x) {
  auto ids = letters_of(x);
  if (!ids) co_return problem(ids.error(), x.request_id);
  const auto dropped = co_await drop_dead_letters(r->view(), std::move(*ids));
  co_return json_response(json_object{{"dropped", dropped}});
}

std::vector<http::member> letters_members() {
  return {{"ids", shape::array_of(shape::line(1, 255), ids_limit), optional, "task ids"},
          {"all", shape::boolean(), optional, "true: all of them"}};
}

// ---- schedules
// -----------------------------------------------------------------------------------

awaitable<response> list_schedules(shared r, exchange&) {
  const auto body = co_await read_schedules(r->view());
  co_return http::text_response(to_json_text(body, json_dialect::strict), "application/json");
}

awaitable<response> put(shared r, exchange& x) {
  if (x.text("task") == builtin::status_webhook)
    co_return problem({errc::invalid_argument, "only the server itself sends status_webhook"},
                      x.request_id);
  const auto saved = co_await put_schedule(r->view(), x.path("name"), x.body.as_object());
  if (!saved) co_return problem(saved.error(), x.request_id);
  co_return http::text_response(to_json_text(*saved, json_dialect::strict), "application/json");
}

awaitable<response> remove(shared r, exchange& x) {
  const auto ok = co_await remove_schedule(r->view(), x.path("name"));
  co_return ok ? http::no_content() : problem(ok.error(), x.request_id);
}

awaitable<response> run(shared r, exchange& x) {
  auto m = co_await message_of_schedule(r->view(), x.path("name"));
  if (!m) co_return problem(m.error(), x.request_id);
  if (m->queue.empty()) m->queue = builtin::queue_of(m->task);
  if (!is_queue_name(m->queue) || m->task == builtin::status_webhook)
    co_return problem({errc::conflict, "this route may not send it"}, x.request_id);
  const auto id = m->id;
  co_await publish(r->view(), std::move(*m));
  auto answer = json_response(json_object{{"id", id}}, 202);
  answer.with("Location", "/api/tasks/" + id);
  co_return answer;
}

shape schedule_shape() {
  return shape::object(
      {{"task", shape::line(1, 255), required, "the task's registered name"},
       {"every", shape::line(1, 32), optional, "a duration such as 30s; this or cron"},
       {"cron", shape::line(1, 255), optional, "five fields, or a nickname such as @daily"},
       {"timezone", shape::line(1, 64), optional, "of cron, such as Europe/Paris; default UTC"},
       {"args", shape::array_of(shape::anything(), 1'000), optional, "positional arguments"},
       {"kwargs", shape::any_object(), optional, "keyword arguments"},
       {"queue", shape::line(1, 64), optional, "default: that of the task"},
       {"priority", shape::integer(0, 9), optional, "0 is served first"},
       {"expires_s", shape::number(0.001, 1e9), optional, "seconds after which it does not start"},
       {"missed", shape::word({"once", "skip"}), optional,
        "what becomes of a run that no beat sent in time; default once"}});
}

}  // namespace

void add_dead_letter_routes(http::router& to, const std::shared_ptr<route_context>& r) {
  to.add({verb::get,
          "/api/dead-letters",
          access::admin,
          "Messages that could not be processed, newest first",
          [r](exchange& x) { return list_letters(r, x); },
          {},
          {http::limit_parameter(), http::cursor_parameter()},
          "{items, next_cursor, total}."})
      .gives(200, schema::object({{"items", schema::array_of(schema::open_object())},
                                  {"next_cursor", schema::nullable(schema::text())},
                                  {"total", schema::count()}}));
  to.add({verb::post, "/api/dead-letters/requeue", access::admin,
          "Put dead letters back on their queues", [r](exchange& x) { return requeue(r, x); },
          shape::object(letters_members())})
      .gives(200, schema::object({{"requeued", schema::count()}}));
  auto members = letters_members();
  members.push_back({"reason", shape::line(1, 500), required, "for the audit log"});
  to.add({verb::post, "/api/dead-letters/drop", access::admin, "Forget dead letters",
          [r](exchange& x) { return drop(r, x); }, shape::object(std::move(members))})
      .gives(200, schema::object({{"dropped", schema::count()}}));
}

void add_schedule_routes(http::router& to, const std::shared_ptr<route_context>& r) {
  to.add({verb::get,
          "/api/schedules",
          access::admin,
          "Periodic tasks: those added here, and those of the configuration of `skirmish beat`",
          [r](exchange& x) { return list_schedules(r, x); },
          {},
          {},
          "`is_running`: a beat leads. An entry with `error` is not run."})
      .gives(200, schema::object({{"items", schema::array_of(schema::open_object())},
                                  {"next_cursor", json{{"type", "null"}}},
                                  {"is_running", schema::boolean()}}));
  to.add({verb::put, "/api/schedules/{name}", access::admin,
          "Add or replace a periodic task; beat follows within seconds",
          [r](exchange& x) { return put(r, x); }, schedule_shape()})
      .gives(200, schema::open_object())
      .refuses({409});
  to.add({verb::delete_, "/api/schedules/{name}", access::admin, "Remove a periodic task",
          [r](exchange& x) { return remove(r, x); }})
      .gives_nothing()
      .refuses({404, 409});
  to.add({verb::post,
          "/api/schedules/{name}/run",
          access::admin,
          "Send a periodic task now, beside its schedule",
          [r](exchange& x) { return run(r, x); },
          {},
          {},
          "202 with the task's id"})
      .gives(202, schema::object({{"id", schema::id()}}))
      .refuses({404, 409});
}

}  // namespace skirmish::tasks
