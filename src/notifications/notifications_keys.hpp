// The Redis keys of notifications; notify.lua takes them as KEYS.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::notifications {

// notifications:<player_id>, a stream: text, ts. What the player has not read yet, capped at
// notifications.limit. The entry's id is the notification's id. No TTL; it goes with the player.
// A channel of the same name announces each as JSON {"id","player_id","text","ts"}.
inline std::string unread_key(const redis::key_space& keys, std::string_view player_id) {
  return keys.key("notifications", player_id);
}

// notified:<once>, a string: the id of the notification that was sent under that name, so that a
// task which runs again sends nothing twice. Lives 24 hours.
inline std::string notified_key(const redis::key_space& keys, std::string_view once) {
  return keys.key("notified", once);
}
inline constexpr std::chrono::seconds notified_ttl{86'400};

}  // namespace skirmish::notifications
