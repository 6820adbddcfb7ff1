// The pieces a line of a Source-engine log is made of.
#pragma once

#include "core/clock.hpp"
#include "ingest/gps.hpp"
#include "ingest/text.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace skirmish::ingest {

// `L 11/12/2018 - 19:57:28: body`, with or without `L `; newer servers write `11/12/2018 -
// 19:57:28.123 - body`. Servers log their local time without a zone: it is read as UTC.
struct source_line {
  timestamp at;
  std::string_view body;
};
std::optional<source_line> read_source_line(std::string_view line);

// `"name<userid><id><team>"`; some lines leave `<team>` out. A name may hold anything, quotes and
// brackets included: it ends where, for the first time, the rest of this form follows. Earliest,
// because what comes later may be chat, where a player can write whole log lines (names are too
// short for that).
struct source_player {
  std::string_view name;
  std::string_view id;    // "STEAM_1:1:0101011", "[U:1:42]", "BOT", "Console", ...
  std::string_view team;  // "CT", "Red", "Unassigned", "", ...

  // The Steam id, or `bot:` and the name for bots.
  [[nodiscard]] std::string player_id() const;
  // False for the server's console and for clients whose Steam id is not known yet.
  [[nodiscard]] bool is_player() const noexcept;
};
std::optional<source_player> eat_player(cursor& line);

// ` [x y z]`
std::optional<world_position> eat_position(cursor& line);

// What may follow: ` (key "value")` pairs and ` (flag)`s up to the end of the line. Others than
// these are skipped.
struct source_properties {
  std::optional<int> damage;
  std::optional<int> health;
  std::optional<world_position> attacker_position;
  std::optional<world_position> victim_position;
};
// Nothing when anything else follows, or when one of these four has a malformed value.
std::optional<source_properties> eat_properties(cursor& line);

}  // namespace skirmish::ingest
