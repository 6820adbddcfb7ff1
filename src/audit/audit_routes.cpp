#include "audit/audit_routes.hpp"

#include "core/ids.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace skirmish::audit {
namespace {

namespace json = boost::json;
using namespace http;

// Longer than any pattern of ours.
constexpr std::size_t route_max_bytes = 255;

result<filter> filter_of(const exchange& x) {
  filter out;
  out.key_id = x.query("key");
  out.route = x.query("route");
  out.cursor = x.query("cursor");
  out.limit = x.query_integer("limit");
  if (!out.key_id.empty() && !is_valid_id(out.key_id))
    return error{errc::invalid_argument, "key must be the id of a key"};
  if (out.route.size() > route_max_bytes || out.route.find('\0') != std::string::npos)
    return error{errc::invalid_argument, "route must be the pattern of a route"};
  if (!out.cursor.empty() && !is_valid_id(out.cursor))
    return error{errc::invalid_argument, "cursor must be one that this list returned"};
  if (x.has_query("since")) {
    out.since = parse_rfc3339(x.query("since"));
    if (!out.since || out.since->time_since_epoch().count() < 0)
      return error{errc::invalid_argument, "since must be a time as in RFC 3339, from 1970 on"};
  }
  return out;
}

awaitable<response> read(db::database& db, exchange& x) {
  auto f = filter_of(x);
  if (!f) co_return problem(f.error(), x.request_id);
  const auto found = co_await list(db, std::move(*f));
  json::array items;
  for (const auto& c : found.items) items.push_back(to_json(c));
  json::object body{{"items", std::move(items)},
                    {"next_cursor", found.more ? json::value(found.items.back().id) : nullptr}};
  co_return json_response(body);
}

}  // namespace

json::object to_json(const change& c) {
  json::object out{{"id", c.id},        {"at", to_rfc3339(c.at)},     {"key_id", c.key_id},
                   {"label", c.label},  {"method", c.method},         {"route", c.route},
                   {"target", nullptr}, {"request_id", c.request_id}, {"address", c.address},
                   {"status", nullptr}};
  error_code ec;
  out["target"] = json::parse(c.target, ec);
  if (ec || !out["target"].is_object()) out["target"] = json::object();
  if (c.status) out["status"] = *c.status;
  return out;
}

void add_routes(router& routes, db::database& db) {
  const auto change_form =
      schema::object({{"id", schema::id()},
                      {"at", schema::time()},
                      {"key_id", schema::text()},
                      {"label", schema::text()},
                      {"method", schema::text()},
                      {"route", schema::text()},
                      {"target", schema::map_of(schema::text())},
                      {"request_id", schema::text()},
                      {"address", schema::text()},
                      {"status", schema::nullable(schema::integer(100, 599))}});
  routes
      .add({verb::get,
            "/api/audit",
            access::admin,
            "What was changed with admin keys",
            [&db](exchange& x) { return read(db, x); },
            {},
            {{"key", "changes made with the key of this id", {}, {}, schema::id()},
             {"route", "changes by this route, `/api/players/{id}` for example", {}, {}},
             {"since", "changes from this time on (RFC 3339)", {}, {}, schema::time()},
             limit_parameter(),
             cursor_parameter()},
            "{items, next_cursor}, the newest first. `status` is null while the outcome is not "
            "known."})
      .gives(200, schema::page_of(change_form));
}

}  // namespace skirmish::audit
