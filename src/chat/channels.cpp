#include "chat/channels.hpp"

#include "core/ids.hpp"

#include <algorithm>

namespace skirmish::chat {
namespace {

bool is_one_of(std::string_view channel, std::string_view prefix) {
  return channel.starts_with(prefix) && channel.size() > prefix.size() && is_valid_id(channel);
}

}  // namespace

bool channel_rules::exists(std::string_view channel) const {
  return is_operated(channel) || is_one_of(channel, "team:") || is_one_of(channel, "level:") ||
         is_one_of(channel, player_prefix) || std::ranges::find(open, channel) != open.end();
}

bool is_operated(std::string_view channel) noexcept {
  return channel == "achievement" || channel == "cache";
}

}  // namespace skirmish::chat
