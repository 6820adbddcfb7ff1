// Rules of the game that several features apply.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace skirmish {

// Bounds of chat channels, and achievements. interactions/game.lua gets them with each commit.
struct game_settings {
  std::int64_t chat_history_limit = 10'000;          // messages kept a channel
  std::chrono::seconds chat_history_ttl{2'592'000};  // after a channel's last message
  // 'counter threshold achievement;' for each declared achievement. Counters: damage, kills,
  // completions, level, chats.
  std::string achievement_rules;
  // The chat channel on which completions and achievements are announced too; empty: on none.
  std::string announce_channel = {};

  // What the scripts are told (achievements/unlock.lua): the rules, in front of them the channel.
  [[nodiscard]] std::string rules() const {
    return announce_channel.empty() ? achievement_rules
                                    : "announce 0 " + announce_channel + ';' + achievement_rules;
  }
};

}  // namespace skirmish
