// Notifications to the WebSockets of one server thread: the channel `notifications:<player_id>`.
//
// Subscribing answers with what is unread; what is sent from then on follows, each once and in
// order, also across a lost connection to Redis. Reading (the routes) is what makes them go: a
// client that reconnects gets the rest again.
#pragma once

#include "core/task_group.hpp"
#include "notifications/notifications.hpp"
#include "realtime/realtime.hpp"
#include "redis/subscriber.hpp"

#include <map>
#include <memory>
#include <string>

namespace skirmish::notifications {

class pusher {
 public:
  // Unread ones in the answer to `subscribe`; more follow as pushes.
  static constexpr std::int64_t page_limit = 100;

  pusher(service& all, redis::subscriber& subscriber, const redis::key_space& keys,
         task_group& group);
  ~pusher();

  // Answers `{"subscribe":{"channel":"notifications:<player_id>"}}`: for the player itself, and for
  // game servers.
  awaitable<result<void>> join(realtime::connection& c, std::string name,
                               const realtime::json::object& message);
  void leave(realtime::connection& c, const std::string& name);

  static constexpr std::string_view channel_prefix = "notifications:";

 private:
  struct member;
  struct channel;
  void receive(const std::string& name, std::string_view payload);
  awaitable<void> send_rest(std::shared_ptr<channel> at, realtime::connection* who,
                            std::string player_id);
  awaitable<void> mend(std::string name);
  static void go_on(member& m);

  service& all_;
  redis::subscriber& subscriber_;
  const redis::key_space& keys_;
  task_group& group_;
  std::map<std::string, std::shared_ptr<channel>> channels_;
};

}  // namespace skirmish::notifications
