// Which chat channels exist, and what may be said on them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::chat {

inline constexpr std::string_view player_prefix = "dm:";

struct channel_rules {
  std::vector<std::string> open{"general"};  // chat.channels
  std::int64_t text_limit_chars = 2'000;

  // True for the open ones, `achievement`, `cache`, `team:<x>`, `level:<id>` and `dm:<player_id>`.
  [[nodiscard]] bool exists(std::string_view channel) const;
};

// True for those on which players only read.
bool is_operated(std::string_view channel) noexcept;

}  // namespace skirmish::chat
