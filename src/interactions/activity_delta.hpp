// An activity delta: what one player did in one commit. A commit under load leaves those of its
// players pending as one text (pending_activity.hpp).
//
// A first line, which the commit adds, is the number of its block on leaderboard:active@seq. For
// each player comes '<player_id> <count> <place> <keep> <lines> <bytes>\n' and then so many bytes.
// flush_activity.lua reads the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace skirmish::interactions {

struct activity_delta {
  std::string_view player_id;
  std::int64_t count = 0;      // its interactions; 0: counted elsewhere
  std::string_view place;      // five digits: the player's among those of the commit
  bool keeps_profile = false;  // its cached profile is to live for another hour
  std::int64_t lines = 0;
  std::string_view text;  // so many lines, its last actions, oldest first
};

void append_activity_delta(std::string& out, const activity_delta& a);

// The deltas of one player in many commits, together.
struct player_activity {
  std::string player_id;
  std::int64_t count = 0;
  std::string mark;  // on leaderboard:active: block and place in the last of the commits
  bool keeps_profile = false;
  std::int64_t lines = 0;
  std::string text;
};

// Aggregates the deltas of commits per player, in the order in which the players come first.
class activity_totals {
 public:
  explicit activity_totals(std::int64_t actions_limit) : actions_limit_(actions_limit) {}

  // False when the text cannot be read to its end; what could be is added.
  bool add(std::string_view commit_text);

  [[nodiscard]] const std::vector<player_activity>& players() const noexcept { return players_; }

 private:
  void add(std::string_view block, const activity_delta& a);

  std::int64_t actions_limit_;
  std::vector<player_activity> players_;
  std::unordered_map<std::string, std::size_t> index_;  // player id → players_
};

}  // namespace skirmish::interactions
