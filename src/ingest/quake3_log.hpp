// Logs of Quake III Arena servers and of games made from it (OpenArena, Urban Terror and other
// forks of ioquake3), as events. docs/game-logs.md says which lines of which game are understood.
//
// A line is ` 20:34 Word: ...`: minutes and seconds since the server started. The engine leaves
// seven characters for them, so from minute 1000 on the space is missing (`1000:07Kill:`), from
// minute 10,000 on a digit of the seconds too, and from 100,000 on both. That is no calendar, so
// events carry no time stamp. A client is a number; who it is says its last ClientUserinfoChanged
// line, in this game or an earlier one. The player's id is that name made valid as text.hpp says
// (name_to_id). A client that no line named is known by the name in its own Kill, Hit, score or say
// line; its other lines are not understood.
//
//   ClientUserinfoChanged: 2 n\NAME\t\TEAM\...
//       the player NAME is seen
//   ClientBegin: 2
//       respawn to 100 hp
//   Kill: 2 3 7: A killed B by MOD
//       attack(A, B, 100 damage, weapon MOD); +1 on the board `kills` for A
//   Kill: 2 2 7: A killed A by MOD
//       the same attack on oneself; no score
//   Kill: 1022 2 22: <world> killed A by MOD
//       respawn(A, 0 hp): a death without an attacker; neither attack nor score
//   Hit: 3 2 1 19: A hit B in the Torso
//       attack(A, B, 0 damage, weapon_19): Urban Terror names the target first, and not the damage
//   Item: 2 weapon_railgun
//       item(A, weapon_railgun) +1
//   InitGame: \mapname\m\...
//       the level m, played from now on
//   score: 20  ping: 4  client: 2 A
//       a completion of the level for A, with this score (it can be negative)
//   say: A: text, say: 2 A: text
//       chat on `general`; Urban Terror writes the client's number
//   sayteam: A: text, sayteam: 2 A: text
//       chat on `team:<side>`: red, blue, spectator, or free outside team games
//
// Who killed whom say the numbers: a Kill line whose text is cut or other than this is understood
// all the same when they are known, without a weapon. It counts in `totals::lines_in_part`.
//
// No line says when a player comes back from death, so a player without hp is respawned to 100
// right before it dies again: every Kill line is a death, and who died last stays at 0 hp.
//
// Other lines of the game are understood and do nothing, private chat among them.
#pragma once

#include "ingest/ingest.hpp"

namespace skirmish::ingest {

std::unique_ptr<log_parser> make_quake3_parser(parser_options options);

}  // namespace skirmish::ingest
