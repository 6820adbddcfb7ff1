// The boards that the log of a live game server fills (parser_options::server), beside what every
// log gives.
//
//   deaths      each death, by whatever
//   headshots   kills by a shot at the head, where the game says so
//   streaks     the most kills without a death in between (the best one stays)
//   playtime    seconds between the first and the last line that speak of a player
//   sessions    how often somebody came to play; going on to the next map is none
//       and for each of them, and for `kills`, the same of one server: server:<name>:<board>
//   weapon:<w>  kills with this weapon
//   map:<m>     kills on this map
//
// Bots (`bot:<name>`) have neither time nor sessions. What a parser did not see is not counted: a
// streak or a session that was under way when it began to read begins there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skirmish::ingest {

inline constexpr std::size_t server_name_max_bytes = 32;

// 1 to 32 of A-Z a-z 0-9 _ . -, so that boards of different servers are different.
bool is_server_name(std::string_view name) noexcept;

// server:<name>:<board>
std::string server_board(std::string_view server, std::string_view board);
// weapon:<name> and map:<name>, made valid ids as text.hpp says.
std::string weapon_board(std::string_view weapon);
std::string map_board(std::string_view map);

}  // namespace skirmish::ingest
