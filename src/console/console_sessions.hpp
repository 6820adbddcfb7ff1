// Browser sessions of API keys: the console's login. A browser keeps a cookie that scripts cannot
// read instead of a key; the server keeps only the digest of its token, in Redis.
#pragma once

#include "apikeys/apikeys.hpp"
#include "core/asio.hpp"
#include "core/clock.hpp"
#include "http/exchange.hpp"
#include "http/request_head.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::console {

struct session {
  std::string key_id;
  std::string role;    // one of apikeys::key_roles
  std::string name;    // the key's label
  std::string digest;  // of its token, in hex
  http::principal who;
  timestamp ends_at;
};

struct opened_session {
  std::string token;  // not stored anywhere
  session row;
};

class session_store {
 public:
  session_store(redis::client& redis, const redis::key_space& keys, const clock& time,
                apikeys::verifier& verifier, apikeys::store& store)
      : redis_(redis), keys_(keys), clock_(time), verifier_(verifier), store_(store) {}

  // Who the key is; unauthenticated for a bad one.
  awaitable<result<http::principal>> verify(std::string key);
  // For somebody that verify() has found; forbidden when the console is not for it. The session
  // ends after session_life, or with its key.
  awaitable<result<opened_session>> open(http::principal who);
  // unauthenticated when there is no such session, or its key has expired or been revoked. Answers
  // from memory within check_interval, and while Redis is down.
  awaitable<result<session>> check(std::string token);
  awaitable<result<session>> check_digest(std::string digest);
  awaitable<void> close(std::string digest);

 private:
  static constexpr std::chrono::milliseconds check_interval{400};
  static constexpr std::size_t known_limit = 1'000;

  struct known {
    session row;
    timestamp read_at;
  };

  awaitable<std::optional<session>> read(std::string digest);

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  apikeys::verifier& verifier_;
  apikeys::store& store_;
  std::map<std::string, known, std::less<>> known_;  // by digest
};

// The id in a key of the right form, good or not; empty for anything else, which may hold a secret
// in the wrong place.
std::string key_id_in(std::string_view key);

// False for pages of other origins, also of those that may use keys; true without an Origin.
bool is_of_own_page(const http::request& r);

// The token in a Cookie field (RFC 6265, section 4.2); empty without one.
std::string_view token_in(std::string_view cookie_field);

}  // namespace skirmish::console
