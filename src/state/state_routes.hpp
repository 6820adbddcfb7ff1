// The routes of temporary state and of recovery data.
#pragma once

#include "http/router.hpp"
#include "players/players.hpp"
#include "state/recovery.hpp"
#include "state/state.hpp"

namespace skirmish::state {

void add_routes(http::router& routes, service& entries, players::service& players);
void add_routes(http::router& routes, recovery& snapshots);

// A body as it was sent; invalid_argument when it says that it is JSON and is not.
result<document> document_of(const http::request& r);
// And as it is given back.
http::response response_of(document d);

}  // namespace skirmish::state
