// The route that reads the event log.
#pragma once

#include "http/router.hpp"
#include "interactions/event_log.hpp"

namespace skirmish::interactions {

void add_routes(http::router& routes, event_log& log);

}  // namespace skirmish::interactions
