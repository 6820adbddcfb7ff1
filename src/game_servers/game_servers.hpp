// Live logs of game servers, as events of numbered streams: by HTTP (http_log.hpp) and by UDP
// (udp_listener.hpp). docs/game-servers.md says how a server is set up.
#pragma once

#include "game_servers/server_settings.hpp"
#include "http/message.hpp"
#include "ingest/ingest.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::game_servers {

inline constexpr std::string_view log_path = "/api/ingest/source-log";

struct settings {
  ingest::geo_origin origin;  // where the maps' origin lies
  std::size_t body_limit_bytes = 1 << 20;
  std::string udp_listen;  // address:port; empty: nothing is received by UDP
  std::vector<udp_server> udp_servers;
  std::size_t udp_queue_limit_bytes = 4 << 20;  // lines that wait to be applied
};

// The API key of a request to log_path that has it in its query (`?key=`), because a game server
// can send no header of ours; empty for all others.
std::string key_in_query(const http::request& r);

}  // namespace skirmish::game_servers
