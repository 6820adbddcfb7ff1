// The routes of notifications, and their WebSocket channel.
#pragma once

#include "http/router.hpp"
#include "notifications/notifications.hpp"
#include "notifications/notifications_push.hpp"

namespace skirmish::notifications {

void add_routes(http::router& routes, service& all);
void add_channel(realtime::gateway& gateway, pusher& push);

}  // namespace skirmish::notifications
