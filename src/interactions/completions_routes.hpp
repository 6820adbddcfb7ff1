// `POST /api/levels/{id}/completions`: a completion as one request instead of an event of a stream.
#pragma once

#include "http/router.hpp"
#include "interactions/interactions.hpp"

namespace skirmish::interactions {

void add_completion_routes(http::router& routes, engine& engine);

}  // namespace skirmish::interactions
