// API keys: who a game server or an operator is.
//
// A key reads `sk_<key id>_<secret>`; the secret is 256 random bits. Stored is a keyed hash of the
// secret (BLAKE2b with the key id as key, RFC 7693): with that much entropy a slow password hash
// would add nothing but load. A key is shown once, when it is made.
#pragma once

#include "apikeys/revocations.hpp"
#include "core/asio.hpp"
#include "core/clock.hpp"
#include "db/database.hpp"
#include "http/exchange.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::apikeys {

// The names of roles that a key may have. A viewer reads what an admin reads, and changes nothing.
inline constexpr std::string_view key_roles[] = {"server", "admin", "viewer"};

// What a new key shall be.
inline constexpr std::size_t label_max_chars = 64;

struct key_wish {
  std::string role = "server";
  std::string label = {};
  http::scopes allowed = {};
  std::optional<std::chrono::milliseconds> life = {};  // nullopt: it does not expire
};
// invalid_argument unless the role is one of key_roles, the label is one line of up to 64
// characters, and a viewer has no scopes of its own.
result<void> check(const key_wish& wish);

struct api_key {
  std::string key_id;  // 12 hex digits
  std::string role;    // one of key_roles
  std::string label;
  http::scopes allowed;
  timestamp created_at;
  std::optional<timestamp> expires_at;
  std::optional<timestamp> last_used_at;  // true to the minute
  bool revoked = false;
};

struct new_api_key {
  api_key row;
  std::string key;  // the whole key: not stored anywhere
};

class store {
 public:
  store(db::database& db, const clock& time) : db_(db), clock_(time) {}

  // `wish` has been checked.
  awaitable<new_api_key> create(key_wish wish);
  awaitable<std::vector<api_key>> list();
  // not_found when there is no such key; revoking twice is fine.
  awaitable<result<void>> revoke(std::string key_id);

  // Whether a key of role admin exists that is not revoked.
  awaitable<bool> has_admin();

 private:
  db::database& db_;
  const clock& clock_;
};

// Looks keys up for all server threads, remembering answers for a few seconds, and good ones longer
// while the database is down. What `revoked` holds is refused at once.
class verifier {
 public:
  static constexpr int cache_seconds = 5;
  static constexpr int stale_seconds = 3600;
  static constexpr std::size_t cache_limit = 10'000;

  verifier(db::database& db, const clock& time, const revoked_keys& revoked)
      : db_(db), clock_(time), revoked_(revoked) {}

  // unauthenticated for a malformed, unknown, expired or revoked key.
  awaitable<result<http::principal>> verify(std::string key);
  // Whose key that is, without its secret; unauthenticated when it is unknown, expired or revoked.
  awaitable<result<http::principal>> find(std::string key_id);
  // Of one that verify() returned: whether its key has been neither revoked since nor expired.
  [[nodiscard]] bool is_still_valid(const http::principal& who) const {
    return who.expires_at > clock_.now() && !revoked_.contains(who.id);
  }

  // Remembers that the key is in use, also when it shows by a message on an open socket.
  void note_use(const std::string& key_id);
  // Writes to SQL, every quarter of a minute, when keys were used last; until cancelled.
  awaitable<void> run_use_writer();

 private:
  static constexpr std::size_t written_at_once = 500;

  struct use {
    timestamp seen_at;
    timestamp written_at;
  };

  awaitable<void> write_uses();
  struct known {
    std::string secret_hash;
    http::principal who;
    bool valid = false;
    timestamp read_at;
  };

  awaitable<known> read(const std::string& key_id);
  // From memory, from SQL, or from memory again when SQL is down.
  awaitable<known> look_up(const std::string& key_id);
  [[nodiscard]] bool is_good(const known& row) const {
    return row.valid && is_still_valid(row.who);
  }
  std::optional<known> cached(const std::string& key_id);
  void remember(const std::string& key_id, const known& row);

  db::database& db_;
  const clock& clock_;
  const revoked_keys& revoked_;
  // One cache for the process: a key seen by one thread is good on all of them when the database
  // goes down. A look-up is a few dozen nanoseconds, once a request or socket.
  std::mutex mutex_;
  std::map<std::string, known, std::less<>> cache_;  // by key id
  std::map<std::string, use, std::less<>> uses_;     // of good keys
};

}  // namespace skirmish::apikeys
