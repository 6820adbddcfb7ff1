// The Redis keys of game servers whose logs come live.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace skirmish::game_servers {

// ingest-log:<server>, a hash: which stream a game server's HTTP log is, and the unfinished lines
// at its end (log_record). Lives 24 hours after it was written, which a server that sends does
// every hour.
inline std::string log_key(const redis::key_space& keys, std::string_view server) {
  return keys.key("ingest-log", server);
}
inline constexpr std::chrono::seconds log_ttl{86'400};

}  // namespace skirmish::game_servers
