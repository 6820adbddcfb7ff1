// JSON Web Tokens of others' logins: RFC 7519 (JWT), 7515 (signatures), 7517 (keys), 8037 (EdDSA).
//
// Three algorithms: RS256, ES256 and EdDSA with Ed25519. Which one a token must have is the key's
// property and never the token's choice (RFC 8725, section 3.1).
#pragma once

#include "core/clock.hpp"
#include "core/error.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

namespace skirmish::sessions {

inline constexpr std::size_t jwt_max_bytes = 8 << 10;

enum class jwt_algorithm { rs256, es256, eddsa };

// Public keys that sign tokens.
class jwt_key_set {
 public:
  static constexpr std::size_t keys_limit = 64;

  // A JWK set, `{"keys": […]}`. Keys for another use than signatures, and of kinds that none of the
  // three algorithms uses, are left out. invalid_argument when it is no such set, holds no key that
  // is left, or a key that is malformed or weak (RSA below 2,048 bits).
  static result<jwt_key_set> parse(std::string_view json);

  struct key {
    std::string id;  // `kid`; may be empty
    jwt_algorithm algorithm;
    std::shared_ptr<evp_pkey_st> handle;
  };
  // The key that a token names; the only one when it names none; nullptr when there is no such one.
  [[nodiscard]] const key* find(std::string_view id) const;

 private:
  std::vector<key> keys_;
};

struct jwt_rules {
  std::string issuer;                  // `iss` must be this
  std::vector<std::string> audiences;  // `aud` must hold one of these
  std::chrono::seconds leeway{60};     // by which clocks may differ
};

struct jwt_claims {
  std::string subject;  // `sub`, not empty
  std::string name;     // `name`, else `preferred_username`; empty when it has neither
  timestamp expires_at;
};

// The `iss` of a token whose signature was not looked at: tells only whose rules to apply.
std::optional<std::string> unverified_issuer(std::string_view token);

// unauthenticated, and why, unless the signature is one of a key of the set, and `iss`, `aud`,
// `exp` (which must be there) and `nbf` hold at `now`.
result<jwt_claims> verify_jwt(std::string_view token, const jwt_key_set& keys,
                              const jwt_rules& rules, timestamp now);

}  // namespace skirmish::sessions
