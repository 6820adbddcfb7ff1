// Notifications as one feature of a server thread: the routes and the channel
// `notifications:<player_id>`.
#pragma once

#include "core/task_group.hpp"
#include "notifications/notifications.hpp"
#include "notifications/notifications_push.hpp"
#include "notifications/notifications_routes.hpp"

namespace skirmish::notifications {

class feature {
 public:
  feature(redis::client& redis, redis::subscriber& subscriber, const redis::key_space& keys,
          const clock& time, task_group& group, settings s)
      : notifications_(redis, keys, time, s), pusher_(notifications_, subscriber, keys, group) {}

  void add_to(http::router& routes, realtime::gateway& gateway) {
    add_routes(routes, notifications_);
    add_channel(gateway, pusher_);
  }

 private:
  service notifications_;
  pusher pusher_;
};

}  // namespace skirmish::notifications
