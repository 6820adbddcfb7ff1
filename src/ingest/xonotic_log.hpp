// Xonotic's event log (`sv_eventlog`), as events. docs/game-logs.md says which lines are
// understood.
//
// A line is `:word:field:field`. Players have numbers; who one is say its :join and :name lines.
// The player's id is that name made valid as text.hpp says (name_to_id). Lines of players that were
// never named are not understood.
//
//   :time:2024-05-01 20:15:00
//       the time of what follows, read as UTC; without such lines no time passes
//   :gamestart:dm_stormkeep:1714594500.1
//       the level stormkeep, played from now on (what precedes the first '_' is the game's type)
//   :join:1:1:127.0.0.1:NAME, :name:1:NAME
//       the player NAME is seen
//   :kill:frag:1:2:type=7:items=7:victimitems=2
//       attack(1, 2, 100 damage, weapon type_7); +1 on the board `kills` for 1
//   :kill:tk:1:2:type=...
//       the same without the point: the game takes one for killing one's own side
//   :kill:suicide:1:1:type=...
//       the same attack on oneself
//   :kill:accident:1:1:type=...
//       respawn(1, 0 hp): a death without an attacker
//   :chat:1:text, :chat_spec:1:text
//       chat on `general`, on `team:spectator`
//   :chat_team:1:5:text
//       chat on `team:<side>`: red (5), blue (14), yellow (13), pink (10), else the number
//   :player:see-labels:30,30,10:520:-1:1:NAME
//       at the end of a match, a completion of the level with the first number as the score
//
// As in Quake III no line says when a player comes back from death: see quake3_log.hpp.
//
// Other lines of the event log (votes, flags, records, teams, labels, ...) are understood and do
// nothing. What a server prints beside it to its console is not understood.
#pragma once

#include "ingest/ingest.hpp"

namespace skirmish::ingest {

std::unique_ptr<log_parser> make_xonotic_parser(parser_options options);

}  // namespace skirmish::ingest
