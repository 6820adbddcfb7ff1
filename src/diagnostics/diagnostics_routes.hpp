#pragma once

#include "config.hpp"
#include "config_sources.hpp"
#include "db/database.hpp"
#include "diagnostics/servers.hpp"
#include "http/router.hpp"

namespace skirmish::diagnostics {

// What the routes read; all of it outlives them.
struct sources {
  redis::client& redis;
  db::database& db;
  const clock& time;
  const config& settings;
  const config_sources& where_from;
  servers& processes;
};

void add_routes(http::router& routes, sources from);

}  // namespace skirmish::diagnostics
