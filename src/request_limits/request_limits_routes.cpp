#include "request_limits/request_limits_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>

namespace skirmish::request_limits {
namespace {

using namespace http;

std::string_view to_string(origin from) {
  switch (from) {
    case origin::built_in: return "default";
    case origin::configuration: return "configuration";
    case origin::live: return "live";
  }
  return "";
}

json::object shown(const known_policy& p) {
  auto out = to_json(p.is);
  out["source"] = to_string(p.from);
  return out;
}

awaitable<response> list(service& limits) {
  json::array items;
  for (const auto& p : limits.list()) items.push_back(shown(p));
  co_return json_response(json::object{{"items", std::move(items)}});
}

awaitable<response> put(service& limits, exchange& x) {
  auto made = co_await limits.put(x.path("name"), x.body.as_object());
  co_return made ? json_response(shown(*made)) : problem(made.error(), x.request_id);
}

awaitable<response> remove(service& limits, exchange& x) {
  auto removed = co_await limits.remove(x.path("name"));
  co_return removed ? no_content() : problem(removed.error(), x.request_id);
}

const std::vector<std::string> subjects{"player", "key", "address"};
const std::vector<std::string> roles{"anonymous", "player", "server", "admin"};
const std::vector<std::string> outages{"local", "open", "closed"};

shape change_shape() {
  return shape::object(
      {{"routes", shape::array_of(shape::line(1, 200), 64), optional,
        "`POST /api/sessions`, `/api/chat/*`, `WS chat`, `*`; one behind a `!` is left out"},
       {"by", shape::word(subjects), optional, "whose requests are counted together"},
       {"roles", shape::array_of(shape::word(roles), 4), optional, "whom it concerns"},
       {"rate_per_s", shape::number(1e-6, 1e6), optional, "tokens that come back per second"},
       {"burst", shape::integer(1, 1'000'000'000), optional, "tokens that may be spent at once"},
       {"lease_tokens", shape::integer(0, 1'000'000'000), optional,
        "tokens that a server thread takes from Redis at once; 0: exact"},
       {"lease_ttl_ms", shape::integer(10, 60'000), optional, "then unspent ones are lost"},
       {"on_outage", shape::word(outages), optional, "while Redis is away"},
       {"shadow", shape::boolean(), optional, "only count what would be refused"},
       {"enabled", shape::boolean(), optional}});
}

json::value policy_schema() {
  return schema::object({{"name", schema::id()},
                         {"routes", schema::array_of(schema::text())},
                         {"by", schema::word(subjects)},
                         {"roles", schema::array_of(schema::word(roles))},
                         {"rate_per_s", schema::number()},
                         {"burst", schema::count()},
                         {"lease_tokens", schema::count()},
                         {"lease_ttl_ms", schema::count()},
                         {"on_outage", schema::word(outages)},
                         {"shadow", schema::boolean()},
                         {"enabled", schema::boolean()},
                         {"source", schema::word({"default", "configuration", "live"})}});
}

}  // namespace

void add_routes(router& routes, service& limits) {
  const auto policy = policy_schema();
  routes
      .add({verb::get,
            "/api/rate-limits",
            access::admin,
            "The rate limits in force",
            [&limits](exchange&) { return list(limits); },
            {},
            {},
            "{items}, by name; `source` says where each is set."})
      .gives(200, schema::object({{"items", schema::array_of(policy)}}))
      .costs(0);
  routes
      .add({verb::put,
            "/api/rate-limits/{name}",
            access::admin,
            "Set a rate limit, on all servers",
            [&limits](exchange& x) { return put(limits, x); },
            change_shape(),
            {},
            "The limit. Members that are missing are as configured; a new one needs routes, by, "
            "rate_per_s and burst. In force everywhere within a second."})
      .gives(200, policy)
      .refuses({409})
      .costs(0);
  routes
      .add({verb::delete_,
            "/api/rate-limits/{name}",
            access::admin,
            "Set a rate limit back to what is configured",
            [&limits](exchange& x) { return remove(limits, x); },
            {},
            {},
            "204. One that is not configured is gone."})
      .gives_nothing()
      .refuses({404, 409})
      .costs(0);
}

}  // namespace skirmish::request_limits
