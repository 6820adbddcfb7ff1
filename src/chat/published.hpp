// What stands on a chat channel in Redis: the messages that chat/deliver.lua publishes, the notices
// of service::ban, service::remove and take_off.lua, and whatever somebody published by hand.
#pragma once

#include "core/stream_id.hpp"

#include <string>
#include <string_view>

namespace skirmish::chat {

struct published {
  enum class kind { message, banned, removed, deleted, unknown };
  kind what = kind::unknown;
  stream_id id;  // of a message
  // Of who was banned, or is taken off the channel; empty when the notice names nobody.
  std::string player_id;
};

// Reads by the names of the members, in whatever order they stand. Everything that is not a JSON
// object of a known kind is unknown.
published read_published(std::string_view payload);

}  // namespace skirmish::chat
