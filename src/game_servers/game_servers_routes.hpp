// POST /api/ingest/source-log.
#pragma once

#include "game_servers/http_log.hpp"
#include "http/router.hpp"

#include <cstddef>

namespace skirmish::game_servers {

void add_routes(http::router& routes, http_log& logs, std::size_t body_limit_bytes);

}  // namespace skirmish::game_servers
