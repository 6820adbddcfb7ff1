// Logs of GoldSrc and Source servers (Counter-Strike, Team Fortress 2, Left 4 Dead 2, ...), as
// events. docs/game-logs.md says which lines of which game are understood.
//
// In the lines below A and B are players, `"name<userid><id><team>"`, also with more brackets
// before the quote. A player's id is the Steam id ("[U:1:42]" becomes "_U:1:42_"), `bot:<name>` for
// bots, and `name:<name>` where the id in the log identifies nobody (`STEAM_ID_LAN`, `UNKNOWN`,
// `0`, ...), made valid as text.hpp says. A player is seen in every line that is understood and
// begins with it, and as B; one whose id is still pending only when the line does more than come
// and go.
//
//   A [p] attacked B [p] with "w" (damage "d") (health "h")
//   A triggered "damage" against B (damage "d") (weapon "w")
//       attack(A, B, d, w), move(A), move(B); then B has h hp
//   A [p] killed B [p] with "w"
//       +1 on the board `kills` for A, move(A), move(B)
//   World triggered "Round_Start"
//       respawn to 100 hp of every player seen so far
//   A spawned as "c"
//       respawn to 100 hp
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
// What surrounds this is decoration: a prefix such as `(DEATH)`, a position that cannot be read, a
// missing `with`, and whatever stands behind the weapon do not make a line unknown. The line counts
// in `totals::lines_in_part` then.
//
// A completion's score is the player's kills since the match before it ended. Positions are
// `[x y z]` or, where a game writes them so, the properties attacker_position and victim_position;
// a line without them moves nobody. A health that is missing is what the damage leaves; a negative
// one is 0. A kill changes no hp: the attacked line before it has. The console is no player: its
// chat comes `from` "Console", and its other lines do nothing. What the world (a player's text
// without id and name) kills gives nobody a point. Time stamps are the log's, read as UTC.
//
// Lines of the game that change none of this (money, teams, connections, suicides, kills by the
// bomb or of a chicken, grenades, settings, plugins, ...) are understood and do nothing. So are the
// JSON blocks that Counter-Strike 2 writes after each round: they sum up what the lines before
// said.
#pragma once

#include "ingest/ingest.hpp"

namespace skirmish::ingest {

std::unique_ptr<log_parser> make_source_parser(parser_options options);

}  // namespace skirmish::ingest
