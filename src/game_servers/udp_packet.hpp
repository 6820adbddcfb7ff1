// The datagrams of `logaddress_add`: one log line each. Pure.
//
// After four bytes 0xFF comes
//   R<line>          Source without a secret
//   S<secret><line>  Source with `sv_logsecret`
//   log <line>       GoldSrc
// A line begins with `L `; `T` and the 16 hex digits of a token (`logaddress_add_ts`) may stand
// before it. It ends with a line feed and a NUL byte.
// https://developer.valvesoftware.com/wiki/HL_Log_Standard,
// https://github.com/blastorg/srcds-log-receiver
#pragma once

#include "game_servers/server_settings.hpp"

#include <span>
#include <string_view>

namespace skirmish::game_servers {

enum class packet_fault {
  none,
  malformed,       // no log line
  unknown_source,  // no server may send from there
  wrong_secret     // those that may have another secret
};

struct packet_reading {
  packet_fault fault = packet_fault::none;
  std::size_t server = 0;  // in the list, when there is no fault
  std::string_view line;   // likewise, without its end
};

// Whose line a datagram is. What identifies a server is its secret, then where it sends from.
packet_reading read_packet(std::string_view datagram, const boost::asio::ip::udp::endpoint& from,
                           std::span<const udp_server> servers);

}  // namespace skirmish::game_servers
