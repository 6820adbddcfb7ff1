// What a game server's log becomes: the events of the API, and the facts that a sender needs before
// them.
//
// The structs carry the fields that the API gives these events, under the same names; a sender adds
// the `type`. Ids are valid ids (core/ids.hpp), texts are valid UTF-8 without control characters.
#pragma once

#include "core/clock.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <variant>

namespace skirmish::ingest {

struct attack {
  std::string attacker_id;
  std::string target_id;  // may be the attacker: a grenade at one's own feet
  int damage = 0;         // 0 to 99,999,999
  std::string weapon;  // in the form of an id; empty when the log names none: send no weapon then
  std::optional<timestamp> ts;
  std::string server;  // the game server's name; empty when the log is nobody's (parser_options)
  // Not for the wire: the target's hp after this attack, which is what the server holds once it has
  // applied the events up to this one (see recorder.hpp).
  int health_after = 0;
};

struct move {
  std::string player_id;
  double lat = 0;  // degrees, -85.0511287 to 85.0511287
  double lon = 0;  // degrees, -180 to 180
  double alt = 0;  // metres above the origin
  int ttl_s = 30;
  std::optional<timestamp> ts;
  std::string server;
};

struct respawn {
  std::string player_id;
  int hp = 100;  // 0 says that the player died without an attacker
};

struct score {
  std::string board;
  std::string player_id;
  int value = 1;
  bool keeps_best = false;  // the operator is "best"; else "increment"
};

struct item {
  std::string player_id;
  std::string item;
  int quantity = 1;  // -1 when it was dropped
};

struct completion {
  std::string level_id;
  std::string player_id;
  int score = 0;  // can be negative in Quake III, where a suicide costs a point
};

struct chat {
  std::string channel;
  std::string from;
  std::string text;  // can be empty
  std::optional<timestamp> ts;
};

// Facts: to be made true (created when absent) before the events that follow them. They are no
// events of the stream.
struct player_seen {
  std::string player_id;
  std::string name;  // as the game shows it, at most 64 characters, never empty
};

struct level_seen {
  std::string level_id;
  std::string name;
};

using event =
    std::variant<attack, move, respawn, score, item, completion, chat, player_seen, level_seen>;

// True for what is sent in the stream and counted in `totals::events`, false for facts.
inline bool is_stream_event(const event& e) noexcept {
  return !std::holds_alternative<player_seen>(e) && !std::holds_alternative<level_seen>(e);
}

// `at` is the log's own time since its first line, for a replay at the speed of the match. It never
// goes back: where the log's clock does (a restarted server), no time passes.
struct log_event {
  std::chrono::milliseconds at{0};
  event what;
};

}  // namespace skirmish::ingest
