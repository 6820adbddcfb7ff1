// Achievements: unlocked once each, by declared thresholds on counters (achievements/unlock.lua,
// inside the commit that counts) or by request, and announced on the channel `achievement`.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "game_settings.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <string>
#include <utility>
#include <vector>

namespace skirmish::achievements {

// Reads `achievements.rules`: "first-blood kills 1, veteran level 10": achievement, counter,
// threshold. The counters are damage, kills, completions, level and chats. Returns
// game_settings::achievement_rules, or what is wrong.
result<std::string> parse_rules(std::string_view text);

class service {
 public:
  service(redis::client& redis, const redis::key_space& keys, const clock& time, game_settings game)
      : redis_(redis), keys_(keys), clock_(time), game_(std::move(game)) {}

  struct unlocked {
    std::string achievement;
    std::string at;  // RFC 3339
  };

  // In the order of unlocking.
  awaitable<std::vector<unlocked>> list(std::string player_id);
  // True when it was not unlocked before. not_found when there is no such player.
  awaitable<result<bool>> unlock(std::string player_id, std::string achievement);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  game_settings game_;
};

}  // namespace skirmish::achievements
