// The events a game server or a player sends, and how they are read from JSON.
//
// `attack`, `move` and `trade` are interactions: each counts 1 for the acting player in
// `leaderboard:active`. The others let one ordered stream carry everything else a game server
// reports.
#pragma once

#include "core/clock.hpp"
#include "core/error.hpp"
#include "http/exchange.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace skirmish::interactions {

struct attack {
  std::string id;  // may be empty
  std::string attacker_id;
  std::string target_id;
  std::int64_t damage = 0;  // 0 to damage_max
  std::string weapon;       // may be empty
  timestamp ts;
};

struct move {
  std::string player_id;
  double lat = 0;  // degrees, -90 to 90
  double lon = 0;  // degrees, -180 to 180
  double alt = 0;  // metres
  std::chrono::seconds ttl{30};
  timestamp ts;
};

struct respawn {
  std::string player_id;
  std::int64_t hp = 0;
};

enum class score_operator { best, set, increment };

struct score {
  std::string board;
  std::string player_id;
  std::int64_t value = 0;
  score_operator op = score_operator::increment;
};

using event = std::variant<attack, move, respawn, score>;

inline constexpr std::int64_t damage_max = 999'999'999;
inline constexpr std::int64_t score_max =
    1LL << 53;  // sorted sets hold whole numbers exactly up to here
inline constexpr std::chrono::seconds move_ttl_min{10};
inline constexpr std::chrono::seconds move_ttl_max{60};

// Reads one event that `who` sends at `now`. invalid_argument when its form is wrong (the message
// names the member), forbidden when `who` may not send it: a player may act only as itself, and
// only a server sets `ts` or reports respawns and scores.
result<event> decode_event(const boost::json::value& v, const http::principal& who, timestamp now);

}  // namespace skirmish::interactions
