// The events a game server or a player sends, and how they are read from JSON.
//
// `attack`, `move` and `trade` are interactions: each counts 1 for the acting player in
// `leaderboard:active`. The others let one ordered stream carry everything else a game server
// reports.
#pragma once

#include "chat/chat.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "http/exchange.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace skirmish::interactions {

// What an event with an `id` is known by when it is sent again. Empty for events without one.
struct event_key {
  std::string name;    // the sender's role and id, '@', the event's id
  std::string digest;  // of the event as it was sent: another one under the same id is refused
};

struct attack {
  std::string id;  // empty until it gets one (give_id)
  std::string attacker_id;
  std::string target_id;
  std::int64_t damage = 0;  // 0 to damage_max
  std::string weapon;       // may be empty
  timestamp ts;
  event_key key = {};
  std::string server = {};  // the game server's name; may be empty
};

struct move {
  std::string player_id;
  double lat = 0;  // degrees, -90 to 90
  double lon = 0;  // degrees, -180 to 180
  double alt = 0;  // metres
  std::chrono::seconds ttl{30};
  timestamp ts;
  std::string server = {};  // the game server's name; may be empty
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

// Items gained or lost; what a player has never falls below 0.
struct item {
  std::string player_id;
  std::string name;
  std::int64_t quantity = 0;  // -quantity_max to quantity_max, not 0
};

struct completion {
  std::string id;  // may be empty; a completion with an id counts once in 24 hours
  std::string level_id;
  std::string player_id;
  std::int64_t score = 0;
};

// Goods by name and quantity (1 to quantity_max), each name once.
using goods = std::vector<std::pair<std::string, std::int64_t>>;

// `from` gives `give` to `to` and gets `take` from it: wholly, or not at all when either lacks
// something.
struct trade {
  std::string id;  // may be empty; a trade with an id is applied once
  std::string from;
  std::string to;
  goods give;
  goods take;
  timestamp ts;
  event_key key = {};
};

struct chat {
  std::string channel;
  std::string from;
  std::string text;  // may be empty
  timestamp ts;
};

using event = std::variant<attack, move, respawn, score, item, completion, trade, chat>;

inline constexpr std::int64_t damage_max = 999'999'999;
inline constexpr std::int64_t score_max =
    1LL << 53;  // sorted sets hold whole numbers exactly up to here
inline constexpr std::int64_t quantity_max = 1'000'000'000;
inline constexpr std::size_t goods_max = 32;  // different items on each side of a trade
inline constexpr std::chrono::seconds move_ttl_min{10};
inline constexpr std::chrono::seconds move_ttl_max{60};

// Reads one event that `who` sends at `now`. invalid_argument when its form is wrong (the message
// names the member), forbidden when `who` may not send it: a player may act only as itself, and
// only a server sets `ts` or `server`, or reports anything but attacks and moves. A trade binds two
// players, so a server vouches for both; a player chats by the chat routes, and a key with scopes
// needs `chat` for chat events. `chats` says which of these are fine.
result<event> decode_event(const boost::json::value& v, const http::principal& who, timestamp now,
                           const skirmish::chat::channel_rules& chats = {});

// Gives an attack without an id one that is unique and sorts by time, and returns it; null for
// other events. It is no event_key: sent again, such an attack is another one.
const std::string* give_id(event& e, timestamp now);

}  // namespace skirmish::interactions
