#include "diagnostics/diagnostics_routes.hpp"

#include "core/recent_warnings.hpp"
#include "diagnostics/backends.hpp"
#include "http/json_schema.hpp"
#include "http/slow_requests.hpp"

#include <boost/json/array.hpp>

#include <utility>

namespace skirmish::diagnostics {
namespace {

namespace json = boost::json;
using namespace http;

std::size_t limit_of(const exchange& x) {
  return static_cast<std::size_t>(x.query_integer("limit"));
}

// What the machinery says of itself is of this moment.
response answer_with(std::string_view name, json::array items) {
  return std::move(
      json_response(json::object{{name, std::move(items)}}).with("Cache-Control", "no-store"));
}

awaitable<response> list_servers(sources from, exchange& x) {
  auto found = co_await from.processes.list();
  if (found.size() > limit_of(x)) found.resize(limit_of(x));
  json::array items;
  for (const auto& s : found)
    items.push_back(json::object{{"server", s.id},
                                 {"host", s.host},
                                 {"pid", s.pid},
                                 {"version", s.version},
                                 {"role", s.role},
                                 {"state", s.is_lost ? "lost" : "online"},
                                 {"started_at", to_rfc3339(s.started_at)},
                                 {"seen_at", to_rfc3339(s.seen_at)},
                                 {"connections", s.connections},
                                 {"threads", s.threads}});
  co_return answer_with("servers", std::move(items));
}

awaitable<response> list_slow_requests(sources from, exchange& x) {
  json::array items;
  for (const auto& r : slow_requests_of_process().list(from.time.now(), limit_of(x)))
    items.push_back(json::object{{"at", to_rfc3339(r.at)},
                                 {"method", to_string(r.method)},
                                 {"route", r.route},
                                 {"status", r.status},
                                 {"duration_ms", r.took.count()},
                                 {"request_id", r.request_id}});
  co_return answer_with("slow_requests", std::move(items));
}

awaitable<response> list_warnings(sources from, exchange& x) {
  json::array items;
  for (const auto& w : log::warnings_of_process().list(from.time.now(), limit_of(x)))
    items.push_back(json::object{{"at", to_rfc3339(w.last_at)},
                                 {"first_at", to_rfc3339(w.first_at)},
                                 {"level", w.at_level == log::level::error ? "error" : "warn"},
                                 {"event", w.event},
                                 {"message", w.message},
                                 {"count", w.count}});
  co_return answer_with("warnings", std::move(items));
}

awaitable<response> list_settings(sources from, exchange&) {
  json::array items;
  for (const auto& s : settings()) {
    const auto value = s.show(from.settings);
    const auto source = from.where_from.find(s.name);
    json::object item{{"name", s.name},
                      {"source", source == from.where_from.end() ? "default" : source->second}};
    if (s.secret && !value.empty())
      item["masked"] = "(set, hidden)";
    else
      item["value"] = value;
    items.push_back(std::move(item));
  }
  co_return answer_with("settings", std::move(items));
}

awaitable<response> show_backends(sources from, exchange&) {
  auto redis = co_await about_redis(from.redis, from.settings.redis.url.empty());
  auto sql = co_await about_sql(from.db);
  json::object body;
  body["redis"] = std::move(redis);
  body["sql"] = std::move(sql);
  co_return std::move(json_response(body).with("Cache-Control", "no-store"));
}

json::value list_form(std::string_view name, json::value item) {
  return schema::object({{std::string(name), schema::array_of(std::move(item))}});
}

}  // namespace

void add_routes(router& routes, sources from) {
  const auto bind = [from](auto handle) {
    return [from, handle](exchange& x) { return handle(from, x); };
  };
  const auto server = schema::object({{"server", schema::id()},
                                      {"host", schema::text()},
                                      {"pid", schema::count()},
                                      {"version", schema::text()},
                                      {"role", schema::word({roles.begin(), roles.end()})},
                                      {"state", schema::word({"online", "lost"})},
                                      {"started_at", schema::time()},
                                      {"seen_at", schema::time()},
                                      {"connections", schema::count()},
                                      {"threads", schema::count()}});
  routes
      .add({verb::get,
            "/api/servers",
            access::admin,
            "The processes of Skirmish on this Redis",
            bind(list_servers),
            {},
            {limit_parameter()},
            "{servers}, the latest seen first: `serve`, `worker`, `beat` and `status-worker`, by "
            "`role`. One that fell silent for 15 s without having been "
            "stopped is lost, and listed for an hour."})
      .gives(200, list_form("servers", server));
  const auto slow = schema::object({{"at", schema::time()},
                                    {"method", schema::text()},
                                    {"route", schema::text()},
                                    {"status", schema::integer(100, 599)},
                                    {"duration_ms", schema::count()},
                                    {"request_id", schema::text()}});
  routes
      .add({verb::get,
            "/api/slow-requests",
            access::admin,
            "Requests to this server that took 250 ms or more",
            bind(list_slow_requests),
            {},
            {limit_parameter()},
            "{slow_requests} of the last hour, at most the last 500, the latest first."})
      .gives(200, list_form("slow_requests", slow));
  const auto warning = schema::object({{"at", schema::time()},
                                       {"first_at", schema::time()},
                                       {"level", schema::word({"warn", "error"})},
                                       {"event", schema::text()},
                                       {"message", schema::text()},
                                       {"count", schema::count()}});
  routes
      .add(
          {verb::get,
           "/api/warnings",
           access::admin,
           "Warnings and errors that this server logged",
           bind(list_warnings),
           {},
           {limit_parameter()},
           "{warnings}: one row for each event that was logged within the last hour, the latest "
           "first. `count` counts from `first_at` on, since when it was never silent for an hour."})
      .gives(200, list_form("warnings", warning));
  const auto setting =
      schema::object({{"name", schema::text()},
                      {"source", schema::word({"default", "file", "environment", "argument"})},
                      {"value", schema::text(), http::optional},
                      {"masked", schema::text(), http::optional}});
  routes
      .add(
          {verb::get,
           "/api/config",
           access::admin,
           "The settings of this server",
           bind(list_settings),
           {},
           {},
           "{settings}. A secret that is set has `masked` instead of `value`. `source` is the last "
           "layer that changed the value."})
      .gives(200, list_form("settings", setting));
  routes
      .add({verb::get,
            "/api/backends",
            access::admin,
            "How Redis and SQL are",
            bind(show_backends),
            {},
            {},
            "{redis, sql}. What a backend does not tell is null; memory is in bytes."})
      .gives(200,
             schema::object({{"redis", schema::open_object()}, {"sql", schema::open_object()}}));
}

}  // namespace skirmish::diagnostics
