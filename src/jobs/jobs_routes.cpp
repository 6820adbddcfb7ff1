#include "jobs/jobs_routes.hpp"

#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace skirmish::jobs {
namespace {

namespace json = boost::json;
using namespace http;

json::object to_json(const job& j) {
  boost::system::error_code ec;
  auto payload = json::parse(j.payload, ec);
  const auto time = [](const std::optional<timestamp>& t) -> json::value {
    if (!t) return nullptr;
    return json::value(to_rfc3339(*t));
  };
  return {{"job_id", j.job_id},
          {"kind", j.kind},
          {"payload", std::move(payload)},
          {"state", j.state},
          {"worker_id", j.worker_id ? json::value(*j.worker_id) : json::value()},
          {"created_at", to_rfc3339(j.created_at)},
          {"assigned_at", time(j.assigned_at)},
          {"ended_at", time(j.ended_at)}};
}

awaitable<response> create(service& jobs, exchange& x) {
  job j;
  j.job_id = x.text("job_id").value_or(random_uuid());
  j.kind = *x.text("kind");
  if (const auto* payload = x.body.as_object().if_contains("payload"))
    j.payload = json_text_of(*payload);
  if (j.payload.size() > 16'384)
    co_return problem({errc::invalid_argument, "the payload is longer than 16 KiB"}, x.request_id);
  auto made = co_await jobs.create(std::move(j));
  if (!made) co_return problem(made.error(), x.request_id);
  auto r = json_response(to_json(*made), 201);
  r.with("Location", "/api/jobs/" + made->job_id);
  co_return r;
}

awaitable<response> read(service& jobs, exchange& x) {
  const auto found = co_await jobs.get(x.path("id"));
  co_return found ? json_response(to_json(*found)) : problem(found.error(), x.request_id);
}

awaitable<response> list(service& jobs, exchange& x) {
  const std::string after(x.query("cursor"));
  if (!after.empty() && !is_valid_id(after))
    co_return problem({errc::invalid_argument, "cursor must be a next_cursor of this list"},
                      x.request_id);
  const auto limit = x.query_integer("limit");
  // One more than asked tells whether there is a next page.
  auto found = co_await jobs.list(std::string(x.query("state")), after, limit + 1);
  json::value next;
  if (found.size() > static_cast<std::size_t>(limit)) {
    found.pop_back();
    next = found.back().job_id;
  }
  json::array items;
  for (const auto& j : found) items.push_back(to_json(j));
  co_return json_response(json::object{{"items", std::move(items)}, {"next_cursor", next}});
}

awaitable<response> assign(service& jobs, const tasks::broker_view& broker, exchange& x) {
  const auto& job_id = x.path("id");
  const auto worker_id = *x.text("worker_id");
  const auto possible = co_await jobs.check(job_id, worker_id);
  if (!possible) co_return problem(possible.error(), x.request_id);
  tasks::outgoing m;
  m.task = tasks::builtin::process_assignment;
  m.id = random_uuid();
  m.queue = tasks::builtin::queue;
  m.args = tasks::json_array{json::value(job_id), json::value(worker_id)};
  co_await tasks::publish(broker, m);
  auto r = json_response(
      json::object{
          {"job_id", job_id}, {"worker_id", worker_id}, {"state", "processing"}, {"task_id", m.id}},
      202);
  r.with("Location", "/api/tasks/" + m.id);
  co_return r;
}

awaitable<response> end(service& jobs, exchange& x) {
  const bool succeeded = x.text("state") != "failed";
  const auto ended = co_await jobs.end(x.path("id"), succeeded);
  co_return ended ? json_response(to_json(*ended)) : problem(ended.error(), x.request_id);
}

}  // namespace

void add_routes(router& routes, service& jobs, tasks::broker_view broker) {
  const auto bind = [&jobs](auto handle) {
    return [&jobs, handle](exchange& x) { return handle(jobs, x); };
  };
  const std::string path = "/api/jobs";
  const auto states = schema::word({"pending", "processing", "done", "failed"});
  const auto whole = schema::object({{"job_id", schema::id()},
                                     {"kind", schema::text()},
                                     {"payload", schema::anything()},
                                     {"state", states},
                                     {"worker_id", schema::nullable(schema::id())},
                                     {"created_at", schema::time()},
                                     {"assigned_at", schema::nullable(schema::time())},
                                     {"ended_at", schema::nullable(schema::time())}});
  routes
      .add({verb::post,
            path,
            access::server,
            "Add a request that waits for a worker",
            bind(create),
            shape::object({{"job_id", shape::id(), optional, "a UUID is made when absent"},
                           {"kind", shape::line(1, 64), required, "what is to be done"},
                           {"payload", shape::anything(), optional, "at most 16 KiB"}}),
            {},
            "201 and the job. 409 when the id is taken."})
      .gives(201, whole)
      .refuses({409});
  routes
      .add({verb::get,
            path,
            access::server,
            "Jobs in the order of their ids",
            bind(list),
            {},
            {limit_parameter(),
             cursor_parameter(),
             {"state", "only jobs in this state", {}, {}, states}}})
      .gives(200, schema::page_of(whole));
  routes.add({verb::get, path + "/{id}", access::server, "A job", bind(read)})
      .gives(200, whole)
      .refuses({404});
  routes
      .add({verb::post,
            path + "/{id}/assignment",
            access::server,
            "Assign a pending job to a worker (a player)",
            [&jobs, broker](exchange& x) { return assign(jobs, broker, x); },
            shape::object({{"worker_id", shape::id(), required, "a player's id"}}),
            {},
            "202 {job_id, worker_id, state: processing, task_id} at once; the task "
            "process_assignment does it. 409 when it is not pending, 400 for an unknown worker."})
      .gives(202, schema::object({{"job_id", schema::id()},
                                  {"worker_id", schema::id()},
                                  {"state", schema::word({"processing"})},
                                  {"task_id", schema::id()}}))
      .refuses({404, 409});
  routes
      .add({verb::post,
            path + "/{id}/end",
            access::server,
            "Say that a job which is processed has ended",
            bind(end),
            shape::object(
                {{"state", shape::word({"done", "failed"}), optional, "done when absent"}}),
            {},
            "The job. 409 when it is not being processed."})
      .gives(200, whole)
      .refuses({404, 409});
}

}  // namespace skirmish::jobs
