// How Redis and SQL are, in their own words.
#pragma once

#include "core/asio.hpp"
#include "db/database.hpp"
#include "redis/client.hpp"

#include <boost/json/object.hpp>

namespace skirmish::diagnostics {

// Neither throws for a backend that is away: is_reachable is false then, and the rest null.
awaitable<boost::json::object> about_redis(redis::client& redis, bool is_embedded);
awaitable<boost::json::object> about_sql(db::database& db);

}  // namespace skirmish::diagnostics
