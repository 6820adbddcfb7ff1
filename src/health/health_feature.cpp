#include "health/health_feature.hpp"

#include "core/log.hpp"
#include "http/json_schema.hpp"

#include <boost/json/object.hpp>

#include <chrono>

namespace skirmish::health {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds ready_ttl{60};

// "ok", or why not. Runs one check of /readyz.
template <class Check>
awaitable<std::string> outcome_of(Check check) {
  try {
    co_await check();
    co_return "ok";
  } catch (const failure& e) {
    log::repeated(log::level::warn, e.what(), "not_ready", {{"error", e.what()}});
    co_return "unavailable";
  }
}

}  // namespace

awaitable<void> feature::ask_redis() {
  // Another request may come to another thread.
  if (!all_connected_()) throw failure(errc::unavailable, "a thread has no connection");
  // One that is full, a replica, or without its replicas answers PING, and takes no write.
  redis::checked(co_await redis_.command("SET", key_, "1", "EX", ready_ttl.count()));
}

awaitable<http::response> feature::ready() {
  const auto ask_redis = [this] { return this->ask_redis(); };
  const auto ask_sql = [this] { return db_.ping(); };
  const auto redis = co_await outcome_of(ask_redis);
  const auto sql = co_await outcome_of(ask_sql);
  const bool prepared = prepared_.load();
  const bool all = redis == "ok" && sql == "ok" && prepared;
  json::object body{{"ready", all}, {"redis", redis}, {"sql", sql}, {"prepared", prepared}};
  co_return http::json_response(body, all ? 200 : 503);
}

void feature::add_to(http::router& routes) {
  using http::access;
  using http::verb;
  namespace schema = http::schema;
  const auto live = [](http::exchange&) -> awaitable<http::response> {
    co_return http::text_response("ok\n");
  };
  const auto metrics = [this](http::exchange&) -> awaitable<http::response> {
    co_return http::text_response(metrics_.text(), "text/plain; version=0.0.4");
  };
  routes.add({verb::get, "/healthz", access::anyone, "Is the process alive?", live})
      .gives_text("text/plain")
      .costs(0);
  const auto state = schema::object({{"ready", schema::boolean()},
                                     {"redis", schema::text()},
                                     {"sql", schema::text()},
                                     {"prepared", schema::boolean()}});
  routes
      .add({verb::get,
            "/readyz",
            access::anyone,
            "Can it serve? Names the backend that is down",
            [this](http::exchange&) { return ready(); },
            {},
            {},
            "200 when ready, 503 when not. Redis is asked by a small write."})
      .gives(200, state)
      .gives(503, state)
      .costs(0);
  routes.add({verb::get, "/metrics", access::anyone, "Metrics as Prometheus text", metrics})
      .gives_text("text/plain")
      .costs(0);
  // The same for operators outside, where a proxy passes nothing but /api on.
  routes
      .add({verb::get,
            "/api/readyz",
            access::admin,
            "Can it serve? As /readyz, for operators",
            [this](http::exchange&) { return ready(); },
            {},
            {},
            "200 when ready, 503 when not."})
      .gives(200, state)
      .gives(503, state);
  routes.add({verb::get, "/api/metrics", access::admin, "As /metrics, for operators", metrics})
      .gives_text("text/plain");
}

}  // namespace skirmish::health
