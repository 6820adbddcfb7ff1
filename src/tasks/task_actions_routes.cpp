// What operators do with tasks of the history: send them again, revoke many, see what they led to.
#include "core/text.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "tasks/admin/history.hpp"
#include "tasks/admin/original.hpp"
#include "tasks/admin/task_tree.hpp"
#include "tasks/builtin_names.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/tasks_routes.hpp"

#include <algorithm>

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

constexpr std::size_t changed_limit_tasks = 1'000;   // by one request
constexpr std::size_t matched_limit_tasks = 10'000;  // counted by a dry run
constexpr milliseconds search_time_limit{2'000};
constexpr std::size_t revoked_at_once = 100;

awaitable<result<std::string>> send_again(shared r, std::string id, std::string queue) {
  auto m = co_await original_of(r->view(), std::move(id), std::move(queue));
  if (!m) co_return m.error();
  if (m->task == builtin::status_webhook)
    co_return error{errc::conflict, "only the server itself sends status_webhook"};
  if (m->queue.empty()) m->queue = builtin::queue_of(m->task);
  if (!is_queue_name(m->queue))
    co_return error{errc::conflict, "its queue is none that this route may send to"};
  const auto sent = m->id;
  co_await publish(r->view(), std::move(*m));
  co_return sent;
}

awaitable<response> retry(shared r, exchange& x) {
  std::string queue(x.query("queue"));
  if (!queue.empty() && !is_queue_name(queue))
    co_return problem({errc::invalid_argument, "queue must be the name of a queue"}, x.request_id);
  const auto sent = co_await send_again(r, x.path("id"), std::move(queue));
  if (!sent) co_return problem(sent.error(), x.request_id);
  auto answer = json_response(json_object{{"id", *sent}}, 202);
  answer.with("Location", "/api/tasks/" + *sent);
  co_return answer;
}

awaitable<response> tree(shared r, exchange& x) {
  const auto found = co_await read_tree(r->view(), x.path("id"));
  if (!found) co_return problem(found.error(), x.request_id);
  co_return json_response(*found);
}

// ---- many at once
// --------------------------------------------------------------------------------

shape filter_shape() {
  std::vector<std::string> states(history_states.begin(), history_states.end());
  const auto text = shape::line(1, 255);
  return shape::object(
      {{"state", shape::array_of(shape::word(std::move(states)), 8), optional},
       {"name", text, optional, "the task's name"},
       {"worker", text, optional, "the node that had it last"},
       {"id", text, optional, "a part of the id"},
       {"arguments", text, optional, "a part of the arguments, whatever its case"},
       {"since", shape::time(), optional, "with an event at or after this time"},
       {"until", shape::time(), optional, "with an event at or before this time"}});
}

std::vector<http::member> bulk_members() {
  return {{"filter", filter_shape(), required, "at least one condition"},
          {"dry_run", shape::boolean(), optional, "true: only count"},
          {"cursor", shape::line(1, 512), optional, "next_cursor of the request before"},
          {"reason", shape::line(1, 500), optional, "for the audit log"}};
}

result<history_query> query_of(const exchange& x, std::vector<std::string> usual_states) {
  const auto& body = x.body.as_object();
  const auto& filter = body.at("filter").as_object();
  if (filter.empty()) return error{errc::invalid_argument, "the filter needs a condition"};
  history_query q;
  if (const auto* states = filter.if_contains("state"))
    for (const auto& state : states->as_array()) q.states.emplace_back(state.as_string());
  if (q.states.empty()) q.states = std::move(usual_states);
  q.name = text_at(filter, "name");
  q.worker = text_at(filter, "worker");
  q.id = text_at(filter, "id");
  q.arguments = text_at(filter, "arguments");
  if (filter.contains("since")) q.since = parse_iso(text_at(filter, "since"));
  if (filter.contains("until")) q.until = parse_iso(text_at(filter, "until"));
  q.cursor = text_at(body, "cursor");
  q.time_limit = search_time_limit;
  return q;
}

struct matches {
  std::vector<std::string> ids;
  std::string next;
  bool is_partial = false;
};

awaitable<result<matches>> find_matches(shared r, history_query q, std::size_t limit) {
  matches out;
  q.limit = std::min<std::size_t>(limit, 1'000);
  while (out.ids.size() < limit) {
    const auto page = co_await read_history(r->view(), q);
    if (!page) co_return page.error();
    for (const auto& task : page->items) out.ids.emplace_back(text_at(task.as_object(), "id"));
    out.next = page->next;
    out.is_partial = page->is_partial;
    q.cursor = page->next;
    if (page->next.empty() || page->is_partial) break;
  }
  co_return out;
}

bool is_dry_run(const exchange& x) {
  const auto* dry = x.body.as_object().if_contains("dry_run");
  return dry && dry->as_bool();
}

response answer_of(const matches& found, std::int64_t changed, std::int64_t failed) {
  json next;
  if (!found.next.empty()) next = found.next;
  return json_response(json_object{{"matched", found.ids.size()},
                                   {"changed", changed},
                                   {"failed", failed},
                                   {"is_partial", found.is_partial || !found.next.empty()},
                                   {"next_cursor", std::move(next)}});
}

using many = std::function<awaitable<std::int64_t>(std::vector<std::string> ids)>;

// Finds what fits and changes it, or only counts it.
awaitable<response> change_many(shared r, exchange& x, std::vector<std::string> usual_states,
                                many change) {
  auto q = query_of(x, std::move(usual_states));
  if (!q) co_return problem(q.error(), x.request_id);
  const bool dry = is_dry_run(x);
  const auto limit = dry ? matched_limit_tasks : changed_limit_tasks;
  const auto found = co_await find_matches(r, std::move(*q), limit);
  if (!found) co_return problem(found.error(), x.request_id);
  if (dry) co_return answer_of(*found, 0, 0);
  const auto changed = co_await change(found->ids);
  co_return answer_of(*found, changed, static_cast<std::int64_t>(found->ids.size()) - changed);
}

awaitable<std::int64_t> retry_all(shared r, std::vector<std::string> ids) {
  std::int64_t sent = 0;
  const std::string own_queue;
  for (const auto& id : ids) {
    const auto again = co_await send_again(r, id, own_queue);
    if (again) ++sent;
  }
  co_return sent;
}

awaitable<std::int64_t> revoke_many(shared r, std::vector<std::string> ids, bool terminate) {
  for (std::size_t from = 0; from < ids.size(); from += revoked_at_once) {
    const auto end = std::min(ids.size(), from + revoked_at_once);
    const std::vector<std::string> part(ids.begin() + static_cast<std::ptrdiff_t>(from),
                                        ids.begin() + static_cast<std::ptrdiff_t>(end));
    co_await revoke_all(r->view(), part, terminate);
  }
  co_return static_cast<std::int64_t>(ids.size());
}

awaitable<response> bulk_retry(shared r, exchange& x) {
  many change = [r](std::vector<std::string> ids) { return retry_all(r, std::move(ids)); };
  std::vector<std::string> usual{"FAILURE"};
  co_return co_await change_many(r, x, std::move(usual), std::move(change));
}

awaitable<response> bulk_revoke(shared r, exchange& x) {
  const auto* wanted = x.body.as_object().if_contains("terminate");
  const bool terminate = wanted && wanted->as_bool();
  many change = [r, terminate](std::vector<std::string> ids) {
    return revoke_many(r, std::move(ids), terminate);
  };
  std::vector<std::string> usual{"PENDING", "RECEIVED", "STARTED", "RETRY"};
  co_return co_await change_many(r, x, std::move(usual), std::move(change));
}

json bulk_form() {
  return schema::object({{"matched", schema::count()},
                         {"changed", schema::count()},
                         {"failed", schema::count()},
                         {"is_partial", schema::boolean()},
                         {"next_cursor", schema::nullable(schema::text())}});
}

}  // namespace

void add_task_action_routes(http::router& to, const std::shared_ptr<route_context>& r) {
  constexpr auto bulk_answer =
      "How many fit (at most 10,000 are counted), and how many were changed: at most 1,000 per "
      "request. `is_partial`: there are more; send the same filter with `cursor`.";
  to.add({verb::post,
          "/api/tasks/{id}/retry",
          access::admin,
          "Send a task again, with its whole original arguments, under a new id",
          [r](exchange& x) { return retry(r, x); },
          {},
          {{"queue", "instead of its own", std::nullopt, std::nullopt}},
          "202 with the new id. 409 when its whole arguments are not known."})
      .gives(202, schema::object({{"id", schema::id()}}))
      .refuses({404, 409});
  to.add({verb::get, "/api/tasks/{id}/tree", access::server,
          "What a task led to: chain, groups, chords; at most 50 nodes per level",
          [r](exchange& x) { return tree(r, x); }})
      .gives(200, schema::open_object())
      .refuses({404});
  to.add({verb::post,
          "/api/tasks/retry",
          access::admin,
          "Send all tasks that fit a filter again; failed ones unless it names states",
          [r](exchange& x) { return bulk_retry(r, x); },
          shape::object(bulk_members()),
          {},
          bulk_answer})
      .gives(200, bulk_form());
  auto members = bulk_members();
  members.push_back({"terminate", shape::boolean(), optional, "true: end them even if they run"});
  to.add({verb::post,
          "/api/tasks/revoke",
          access::admin,
          "Revoke all tasks that fit a filter; those that have not ended unless it names states",
          [r](exchange& x) { return bulk_revoke(r, x); },
          shape::object(std::move(members)),
          {},
          bulk_answer})
      .gives(200, bulk_form());
}

}  // namespace skirmish::tasks
