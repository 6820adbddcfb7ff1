// What players did in one commit, as a text: how a commit leaves it for later
// (pending_activity.hpp).
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

struct act {
  std::string_view player_id;
  std::int64_t count = 0;      // its interactions; 0: counted elsewhere
  std::string_view place;      // five digits: the player's among those of the commit
  bool keeps_profile = false;  // its cached profile is to live for another hour
  std::int64_t lines = 0;
  std::string_view text;  // so many lines, its last actions, oldest first
};

void append_act(std::string& out, const act& a);

// The shares of one player in many commits, together.
struct player_acts {
  std::string player_id;
  std::int64_t count = 0;
  std::string mark;  // on leaderboard:active: block and place in the last of the commits
  bool keeps_profile = false;
  std::int64_t lines = 0;
  std::string text;
};

// Adds the acts of commits a player, in the order in which the players come first.
class gathered_acts {
 public:
  explicit gathered_acts(std::int64_t actions_limit) : actions_limit_(actions_limit) {}

  // False when the text cannot be read to its end; what could be is added.
  bool add(std::string_view commit_text);

  [[nodiscard]] const std::vector<player_acts>& players() const noexcept { return players_; }

 private:
  void add(std::string_view block, const act& a);

  std::int64_t actions_limit_;
  std::vector<player_acts> players_;
  std::unordered_map<std::string, std::size_t> index_;  // player id → players_
};

}  // namespace skirmish::interactions
