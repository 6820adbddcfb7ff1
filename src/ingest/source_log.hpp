// Source-engine server logs (Counter-Strike, and what other Source games write alike), as events.
//
// In the lines below A and B are players, `"name<userid><id><team>"`. A player's id is the Steam
// id, or `bot:<name>` for bots, made valid as text.hpp says: "[U:1:42]" becomes "_U:1:42_". A
// player is seen in every line that is understood and begins with it, and as B.
//
//   A [p] attacked B [p] with "w" (damage "d") (health "h")
//       attack(A, B, d, w), move(A), move(B); then B has h hp
//   A [p] killed B [p] with "w"
//       +1 on the board `kills` for A, move(A), move(B)
//   World triggered "Round_Start"
//       respawn to 100 hp of every player seen so far
//   A purchased "i", A picked up "i", A dropped "i"
//       item(A, i) +1, +1, -1
//   A say "t"
//       chat on `general`
//   A say_team "t"
//       chat on `team:<side>`, the side as the log spells it: `team:CT`, `team:TERRORIST`,
//       `team:Red`; `team:none` when the line names no side
//   Loading map "m", Started map "m", World triggered "..." on "m"
//       the level m, played from now on
//   Game Over: mode group m score 16:1 after 21 min
//       the level m, and a completion for every player seen so far
//   World triggered "Game_Over"
//       the same on the level that is played
//
// A completion's score is the player's kills since the match before it ended. Positions are
// `[x y z]` or, where a game writes them so, the properties attacker_position and victim_position;
// a line without them moves nobody. A health that is missing is what the damage leaves; a negative
// one is 0. A kill changes no hp: the attacked line before it has. The console is no player: its
// chat comes `from` "Console", and its other lines do nothing. Time stamps are the log's, read as
// UTC.
//
// Lines of the game that change none of this (money, teams, connections, suicides, kills by the
// bomb or of a chicken, grenades, settings, ...) are understood and do nothing.
#pragma once

#include "ingest/ingest.hpp"

namespace skirmish::ingest {

std::unique_ptr<log_parser> make_source_parser(geo_origin origin);

}  // namespace skirmish::ingest
