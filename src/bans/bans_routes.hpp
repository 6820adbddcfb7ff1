// Bans over HTTP, for operators.
#pragma once

#include "bans/ban_store.hpp"
#include "http/router.hpp"

namespace skirmish::bans {

void add_routes(http::router& routes, store& bans, const clock& time);

}  // namespace skirmish::bans
