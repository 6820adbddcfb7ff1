// The pieces a line of a Source-engine log is made of.
#pragma once

#include "core/clock.hpp"
#include "ingest/gps.hpp"
#include "ingest/text.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace skirmish::ingest {

// `L 11/12/2018 - 19:57:28: body`, with or without `L `, and with or without what the servers' UDP
// transports write before it; newer servers write `11/12/2018 - 19:57:28.123 - body`. Servers log
// their local time without a zone: it is read as UTC.
struct source_line {
  timestamp at;
  std::string_view body;
};
std::optional<source_line> read_source_line(std::string_view line);

// `"name<userid><id><team>"`; some lines leave `<team>` out, and Left 4 Dead 2 writes more brackets
// behind it, which are skipped. A name may hold anything, quotes and brackets included: the text of
// a player ends where, for the first time, the rest of this form does. Earliest, because what comes
// later may be chat, where a player can write whole log lines (names are too short for that). Where
// more than one rest ends there, a part of the name looks like one: the last with an id that an
// engine writes counts.
struct source_player {
  std::string_view name;
  std::string_view id;    // "STEAM_1:1:0101011", "[U:1:42]", "BOT", "Console", ...
  std::string_view team;  // "CT", "Red", "Unassigned", "", ...

  // The Steam id where it says who this is. Else the name with `bot:` before it for bots, and with
  // `name:` for everybody else: the engines write the same id for all players of a LAN, for players
  // without Steam and for those whose id is not known yet.
  [[nodiscard]] std::string player_id() const;
  // False for the server's console and for the world.
  [[nodiscard]] bool is_player() const noexcept;
  // True while Steam has not answered: the same player will have another id soon.
  [[nodiscard]] bool is_pending() const noexcept;
};
std::optional<source_player> eat_player(cursor& line);

// ` [x y z]`
std::optional<world_position> eat_position(cursor& line);

// ` [anything]` where a position was expected. Nobody needs it.
bool eat_broken_position(cursor& line);

// What may follow: ` (key "value")` pairs and ` (flag)`s up to the end of the line. Others than
// these are skipped.
struct source_properties {
  std::optional<int> damage;
  std::optional<int> health;
  std::optional<std::string_view> weapon;
  std::optional<world_position> attacker_position;
  std::optional<world_position> victim_position;
  bool is_headshot = false;  // `(headshot)`, `(headshot penetrated)`, `(customkill "headshot")`
  bool ignored = false;      // something else follows, or one of these has a malformed value
};
source_properties read_properties(cursor& line);

}  // namespace skirmish::ingest
