// Quake III Arena server logs, as events.
//
// A line is ` 20:34 Word: ...`: minutes and seconds since the server started. That is no calendar,
// so events carry no time stamp. A client is a number; who it is says its last
// ClientUserinfoChanged line, in this game or an earlier one. The player's id is that name made
// valid as text.hpp says: "Dono da Bola" is "Dono_da_Bola" and, colour codes being characters like
// others, "^1Bob" is
// "_1Bob". A client that no line named is known by the name in its own Kill, score or say line; its
// other lines are not understood.
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
//   Item: 2 weapon_railgun
//       item(A, weapon_railgun) +1
//   InitGame: \mapname\m\...
//       the level m, played from now on
//   score: 20  ping: 4  client: 2 A
//       a completion of the level for A, with this score (it can be negative)
//   say: A: text
//       chat on `general`
//   sayteam: A: text
//       chat on `team:<side>`: red, blue, spectator, or free outside team games
//
// No line says when a player comes back from death, so a player without hp is respawned to 100
// right before it dies again: every Kill line is a death, and who died last stays at 0 hp.
//
// Other lines of the game are understood and do nothing.
#pragma once

#include "ingest/ingest.hpp"

namespace skirmish::ingest {

std::unique_ptr<log_parser> make_quake3_parser(geo_origin origin);

}  // namespace skirmish::ingest
