#include "status/status_routes.hpp"

namespace skirmish::status {

void add_routes(http::router& routes, service& status) {
  using http::access;
  using http::exchange;
  using http::verb;
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
  auto preflight = [&status](exchange& x) -> awaitable<http::response> {
    co_return status.preflight(x);
  };
  for (const std::string prefix : {"", "/api"}) {
    const auto root = prefix + "/server/status";
    routes.add({verb::get,
                root,
                access::anyone,
                "Is the game server up, and what are its rates",
                read,
                {},
                {strict},
                "The status document. Carries an ETag and says its age in `_cache`; gzip when "
                "asked for."});
    routes.add({verb::options, root, access::anyone, "CORS preflight of the status", preflight});
    routes.add_fast(root,
                    [&status](const http::fast_request& asked) { return status.fast(asked); });
    routes.add({verb::get, root + "/debug", access::anyone,
                "Where the status comes from and how old it is", debug});
    routes.add({verb::get,
                root + "/history",
                access::anyone,
                "Players online and uptime, for charts",
                history,
                {},
                {hours}});
    routes.add(
        {verb::get, root + "/badge.svg", access::anyone, "An uptime badge", badge, {}, {hours}});
    routes.add({verb::get,
                prefix + "/health",
                access::anyone,
                "Is the status fresh: ok, stale or error",
                health,
                {},
                {},
                "200 with ok or stale, 503 with error."});
  }
  routes.add({verb::post,
              "/api/status/refresh",
              access::admin,
              "Refresh the status now",
              [&status](exchange&) { return status.refresh(); },
              {},
              {},
              "The document was read from the database just now; 503 when that was not possible."});
}

}  // namespace skirmish::status
