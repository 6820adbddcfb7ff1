// The routes of API keys.
#pragma once

#include "apikeys/apikeys.hpp"
#include "http/router.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/json/object.hpp>

namespace skirmish::apikeys {

void add_api_key_routes(http::router& routes, apikeys::store& store, redis::client& redis,
                        const redis::key_space& keys);

// As the routes and `skirmish apikey list --json` show it: never the secret.
boost::json::object to_json(const api_key& k);

}  // namespace skirmish::apikeys
