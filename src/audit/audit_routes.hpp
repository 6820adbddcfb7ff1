// The route of the audit log.
#pragma once

#include "audit/audit.hpp"
#include "http/router.hpp"

#include <boost/json/object.hpp>

namespace skirmish::audit {

void add_routes(http::router& routes, db::database& db);

// As the route and `skirmish audit --json` show it.
boost::json::object to_json(const change& c);

}  // namespace skirmish::audit
