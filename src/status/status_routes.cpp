#include "status/status_routes.hpp"

#include "http/json_schema.hpp"

namespace skirmish::status {
namespace {

// The members of game_members().
std::vector<http::schema::property> game_schema() {
  namespace schema = http::schema;
  using http::optional;
  const auto count = schema::nullable(schema::count());
  const auto time = schema::nullable(schema::time());
  return {{"players", count, optional},
          {"max_players", count, optional},
          {"map", schema::text(), optional},
          {"name", schema::text(), optional},
          {"version", schema::text(), optional},
          {"latency_ms", schema::nullable(schema::number()), optional},
          {"observed_at", time, optional},
          {"checked_at", time, optional},
          {"changed_at", time, optional}};
}

http::json::value server_schema() {
  namespace schema = http::schema;
  std::vector<schema::property> members{{"server", schema::id()},
                                        {"online", schema::nullable(schema::boolean())}};
  for (auto& m : game_schema()) members.push_back(std::move(m));
  return schema::object(members);
}

// The form of what render() writes.
http::json::value document_schema() {
  namespace schema = http::schema;
  using http::optional;
  const auto number = schema::number();
  const auto rates = schema::object({{"exp", number},
                                     {"pvp", number},
                                     {"pve", number},
                                     {"color_mob", number},
                                     {"skill", number}});
  const auto source =
      schema::object({{"cached", schema::boolean()},
                      {"stale", schema::boolean(), optional},
                      {"source", schema::word({"database", "last_known", "defaults"}), optional},
                      {"age_seconds", schema::count(), optional},
                      {"error", schema::text(), optional}});
  std::vector<schema::property> members{{"server_status", number},
                                        {"rates", rates},
                                        {"client_status", number},
                                        {"updated_at", schema::nullable(schema::time())},
                                        {"updated_at_unix", schema::nullable(number)},
                                        {"scheduled_at", schema::nullable(schema::time())},
                                        {"_meta", schema::map_of(schema::text())},
                                        {"online", schema::boolean(), optional},
                                        {"stale", schema::boolean(), optional},
                                        {"_cache", source}};
  for (auto& m : game_schema()) members.push_back(std::move(m));
  return schema::object(members);
}

}  // namespace

void add_routes(http::router& routes, service& status) {
  using http::access;
  using http::exchange;
  using http::verb;
  namespace schema = http::schema;
  const http::query_parameter strict{"strict",
                                     "1: answer 503 instead of the defaults when nothing is known",
                                     "0", std::pair<std::int64_t, std::int64_t>{0, 1}};
  const http::query_parameter hours{"hours", "how far back", "24",
                                    std::pair<std::int64_t, std::int64_t>{1, 720}};

  auto read = [&status](exchange& x) { return status.status(x); };
  auto debug = [&status](exchange&) { return status.debug(); };
  auto health = [&status](exchange&) { return status.health(); };
  auto history = [&status](exchange& x) { return status.history(x); };
  auto badge = [&status](exchange& x) { return status.badge(x); };
  auto server = [&status](exchange& x) { return status.server(x); };
  auto server_history = [&status](exchange& x) { return status.server_history(x); };
  auto preflight = [&status](exchange& x) -> awaitable<http::response> {
    co_return status.preflight(x);
  };
  const auto document = document_schema();
  const auto healthy =
      schema::object({{"status", schema::word({"ok", "stale", "error"})},
                      {"age_seconds", schema::nullable(schema::count())},
                      {"last_scheduled_refresh", schema::nullable(schema::time()), http::optional},
                      {"message", schema::text(), http::optional}});
  const auto charted = schema::object(
      {{"hours", schema::integer(1, 720)},
       {"points",
        schema::array_of(schema::object({{"t", schema::time()},
                                         {"online", schema::boolean()},
                                         {"players", schema::nullable(schema::count())},
                                         {"max_players", schema::nullable(schema::count())}}))},
       {"samples", schema::count()},
       {"uptime_percent", schema::nullable(schema::number())},
       {"players_peak", schema::nullable(schema::count())}});
  for (const std::string prefix : {"", "/api"}) {
    const auto root = prefix + "/server/status";
    routes
        .add({verb::get,
              root,
              access::anyone,
              "Is the game server up, and what are its rates",
              read,
              {},
              {strict},
              "The status document. Carries an ETag and says its age in `_cache`; gzip when "
              "asked for. 304 for an If-None-Match that still fits."})
        .gives(200, document)
        .gives(304, nullptr, "")
        .gives(503, document);
    routes
        .add({verb::options,
              root,
              access::anyone,
              "CORS preflight of the status",
              preflight,
              {},
              {},
              "204."})
        .gives_nothing();
    routes.add_fast(root,
                    [&status](const http::fast_request& asked) { return status.fast(asked); });
    routes
        .add({verb::get, root + "/debug", access::anyone,
              "Where the status comes from and how old it is", debug})
        .gives(200, schema::object({{"cached", schema::boolean()},
                                    {"updated_at", schema::nullable(schema::time())},
                                    {"age_seconds", schema::nullable(schema::count())},
                                    {"ttl", schema::nullable(schema::count())},
                                    {"is_fresh", schema::boolean()},
                                    {"interval_seconds", schema::count()},
                                    {"is_interval_set", schema::boolean()},
                                    {"redis", schema::word({"up", "down"})},
                                    {"leader", schema::boolean()}}));
    routes
        .add({verb::get,
              root + "/history",
              access::anyone,
              "Players online and uptime, for charts",
              history,
              {},
              {hours}})
        .gives(200, charted);
    routes
        .add(
            {verb::get, root + "/badge.svg", access::anyone, "An uptime badge", badge, {}, {hours}})
        .gives_text("image/svg+xml");
    routes
        .add({verb::get,
              prefix + "/health",
              access::anyone,
              "Is the status fresh: ok, stale or error",
              health,
              {},
              {},
              "200 with ok or stale, 503 with error."})
        .gives(200, healthy)
        .gives(503, healthy)
        .costs(0);
  }
  const std::string named = "/api/servers/{name}/status";
  routes
      .add(
          {verb::get,
           named,
           access::anyone,
           "Is this game server up, and who plays",
           server,
           {},
           {strict},
           "One of `status.probes` by its name; `online` is null until it was asked. The first one "
           "answers as /server/status."})
      .gives(200, schema::any_of({server_schema(), document}))
      .gives(304, nullptr, "")
      .gives(503, document)
      .refuses({404});
  routes
      .add({verb::get,
            named + "/history",
            access::anyone,
            "Players online and uptime of this game server, for charts",
            server_history,
            {},
            {hours}})
      .gives(200, charted)
      .refuses({404});
  routes
      .add({verb::options,
            named,
            access::anyone,
            "CORS preflight of the status",
            preflight,
            {},
            {},
            "204."})
      .gives_nothing();
  routes
      .add({verb::post,
            "/api/status/refresh",
            access::admin,
            "Refresh the status now",
            [&status](exchange&) { return status.refresh(); },
            {},
            {},
            "The document was read from the database just now; 503 when that was not possible."})
      .gives(200,
             schema::object({{"refreshed", schema::boolean()}, {"updated_at", schema::time()}}));
  const auto interval = schema::object({{"interval_seconds", schema::count()}});
  routes
      .add({verb::put,
            "/api/status/interval",
            access::admin,
            "Set how often the status is refreshed",
            [&status](exchange& x) { return status.set_interval(x); },
            http::shape::object({{"interval_seconds",
                                  http::shape::integer(interval_set_min_s, interval_set_max_s)}}),
            {},
            "In force within half a second in every process, instead of the setting "
            "`status.update_interval`, until it is taken back."})
      .gives(200, interval);
  routes
      .add({verb::delete_,
            "/api/status/interval",
            access::admin,
            "Refresh the status as often as the setting says, again",
            [&status](exchange& x) { return status.set_interval(x); },
            {},
            {},
            "204, also when no other interval was set."})
      .gives_nothing();
}

}  // namespace skirmish::status
