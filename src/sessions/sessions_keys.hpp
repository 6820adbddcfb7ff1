// The Redis keys of sessions. `digest` is the SHA-256 of a token in hex: no key holds a token
// itself.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::sessions {

// session:<digest>, a hash: player_id, session_id, name, method, created_at, seen_at, ends_at
// (milliseconds since 1970), epoch. Lives sessions.idle_ttl after the last use, and never beyond
// ends_at.
inline std::string session_key(const redis::key_space& keys, std::string_view digest) {
  return keys.key("session", digest);
}

// sessions:<player_id>, a sorted set of digests by created_at: the player's sessions, at most
// sessions.per_player. Members of which the session has expired are dropped by the next look.
inline std::string sessions_key(const redis::key_space& keys, std::string_view player_id) {
  return keys.key("sessions", player_id);
}

// sessions@revoked, a stream of player_id and digest (`*`: all of the player's): what was ended
// early. Every server thread reads on twice a second. About the last 10,000 are kept.
inline std::string revoked_key(const redis::key_space& keys) {
  return keys.key("sessions@revoked");
}

// ticket:<digest>, the digest of the session it stands for. Lives 30 s, and is taken once.
inline std::string ticket_key(const redis::key_space& keys, std::string_view digest) {
  return keys.key("ticket", digest);
}
inline constexpr std::chrono::seconds ticket_ttl{30};

// login:<digest of the account's name>, login_address:<address>, hashes: failures, next_at
// (milliseconds since 1970). Live 15 minutes after the last attempt.
inline std::string login_key(const redis::key_space& keys, std::string_view account) {
  return keys.key("login", account);
}
inline std::string login_address_key(const redis::key_space& keys, std::string_view address) {
  return keys.key("login_address", address);
}

// login_known:<digest of the account's name>@<address>: this account logged in from there in the
// last 30 days, so that what others try elsewhere does not keep its owner out.
inline std::string login_known_key(const redis::key_space& keys, std::string_view account,
                                   std::string_view address) {
  return keys.key("login_known", account, address);
}

}  // namespace skirmish::sessions
