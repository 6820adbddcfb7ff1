// What a probe found out about the game server.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::status {

// What a game server says of itself; a probe that only connects learns nothing of this.
struct server_info {
  std::optional<std::int64_t> players;
  std::optional<std::int64_t> max_players;
  std::string map;
  std::string name;
  std::string version;
};

// What is next in a query over UDP after a datagram: wait for more, send the request again, or read
// the answer.
enum class query_step { wait, send, done };

struct observation {
  bool is_online = false;
  server_info info;
  std::optional<double> latency_ms;
  // What `info` says was true then; timestamp{}: the server never answered.
  timestamp observed_at{};
  timestamp checked_at{};  // when the answer came, or the probe gave up
  timestamp changed_at{};  // when is_online last changed; timestamp{}: not since the first probe
  std::string problem;     // why it is not online; empty when it is
};

// A foreign text as it may stand in our JSON: valid UTF-8 without control characters, at most
// `limit_bytes` and no character cut in two. What is not UTF-8 becomes U+FFFD.
std::string clean_text(std::string_view text, std::size_t limit_bytes = 256);

}  // namespace skirmish::status
