// Notifications: short texts for one player, pushed to its WebSockets at once and kept until they
// are read. They are sent by the task `send_notification` (builtin_tasks.hpp), which can wait.
#pragma once

#include "chat/chat.hpp"
#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::notifications {

using chat::message_id;

struct settings {
  std::int64_t limit = 1'000;  // unread ones kept a player; the oldest go
  std::int64_t text_limit_chars = 2'000;
};

struct notification {
  message_id id;
  std::string text;
  std::string ts;
};
boost::json::object to_json(const notification& n);

class service {
 public:
  service(redis::client& redis, const redis::key_space& keys, const clock& time, settings s)
      : redis_(redis), keys_(keys), clock_(time), settings_(s) {}

  // Stores and announces it, and returns its id. The same `once` sends only the first time within a
  // day. invalid_argument for an empty or too long text; whether the player exists is the caller's
  // to know.
  awaitable<result<std::string>> send(std::string player_id, std::string text, std::string once);

  // What the player has not read, oldest first: behind `after`, at most `limit`.
  awaitable<std::vector<notification>> unread(std::string player_id,
                                              std::optional<message_id> after, std::int64_t limit);

  // Forgets one. not_found when it is not there (any more).
  awaitable<result<void>> read_one(std::string player_id, message_id id);
  // Forgets all up to `last` and returns how many those were.
  awaitable<std::int64_t> read_up_to(std::string player_id, message_id last);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  settings settings_;
};

}  // namespace skirmish::notifications
