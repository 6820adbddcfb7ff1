#pragma once

#include "config.hpp"
#include "db/database.hpp"
#include "diagnostics/servers.hpp"
#include "http/router.hpp"

namespace skirmish::diagnostics {

// What the routes read; all of it outlives them.
struct sources {
  redis::client& redis;
  database& db;
  const clock& time;
  const config& settings;
  servers& processes;
};

void add_routes(http::router& routes, sources from);

}  // namespace skirmish::diagnostics
