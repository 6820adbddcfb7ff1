// What operators ask of the machinery, as one feature of a server thread: the servers, Redis, SQL,
// settings, slow requests and warnings.
#pragma once

#include "config.hpp"
#include "config_sources.hpp"
#include "core/task_group.hpp"
#include "db/database.hpp"
#include "diagnostics/diagnostics_routes.hpp"
#include "diagnostics/servers.hpp"

#include <functional>
#include <utility>

namespace skirmish::diagnostics {

class feature {
 public:
  feature(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time,
          metrics::registry& metrics, const config& settings, const config_sources& sources,
          std::function<std::size_t()> threads)
      : redis_(redis),
        db_(db),
        clock_(time),
        settings_(settings),
        sources_(sources),
        servers_(redis, keys, time, metrics, std::move(threads)) {}

  void add_to(http::router& routes) {
    add_routes(routes, {redis_, db_, clock_, settings_, sources_, servers_});
  }

  // A process is one server, however many threads it has.
  void start_on_first(task_group& group) {
    group.keep_running("server_announcement", [this] { return servers_.run(); });
  }
  awaitable<void> stop() { return servers_.leave(); }

 private:
  redis::client& redis_;
  db::database& db_;
  const clock& clock_;
  const config& settings_;
  const config_sources& sources_;
  servers servers_;
};

}  // namespace skirmish::diagnostics
