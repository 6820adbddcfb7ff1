// The Redis keys of the server status.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::status {

// server:status, a string: the document as JSON, without `_cache`. Lives status.cache_ttl (900 s)
// after the last reading of `constants`.
inline std::string document_key(const redis::key_space& keys) { return keys.key("server:status"); }

// server:status:history, a stream capped at status.history_limit, one entry a refresh: online (0 or
// 1), players, max_players (empty when unknown).
inline std::string history_key(const redis::key_space& keys) {
  return keys.key("server:status:history");
}

// servers:status@<name>, a string: what the probe says of one of status.probes as JSON. Lives
// status.cache_ttl (900 s) after the last probe. The first server's stands in server:status.
inline std::string server_key(const redis::key_space& keys, std::string_view name) {
  return keys.key("servers", "status", name);
}

// servers:history@<name>, a stream as server:status:history.
inline std::string server_history_key(const redis::key_space& keys, std::string_view name) {
  return keys.key("servers", "history", name);
}

// server:status:leader, a string: the token of the process that refreshes. Lives 10 s after its
// last renewal, so another takes over within that time.
inline std::string lease_key(const redis::key_space& keys) {
  return keys.key("server:status:leader");
}
inline constexpr std::chrono::milliseconds lease_ttl{10'000};

// server:status:lock, a string: the token of the process that reads the database now. Lives at most
// 10 s.
inline std::string lock_key(const redis::key_space& keys) { return keys.key("server:status:lock"); }
inline constexpr std::chrono::milliseconds lock_ttl{10'000};

// config:status_interval, a string: seconds, 5 to 86400. Written by operators, by the API (10 to
// 3600) or by themselves; overrides status.update_interval while it exists.
inline std::string interval_key(const redis::key_space& keys) {
  return keys.key("config:status_interval");
}

// The Pub/Sub channel that carries each new document.
inline std::string channel(const redis::key_space& keys) { return keys.key("status"); }

}  // namespace skirmish::status
