// Others whose word opens sessions: a studio's own login, Epic, Discord and whoever else signs JSON
// Web Tokens. A file names them (setting sessions.issuers_file):
//
//   {"issuers": [{"name": "studio", "issuer": "https://login.example.com", "audience": "my-game",
//                 "jwks_file": "studio.jwks.json"}]}
//
// `audience` is a text or a list. `jwks_file` is read again within ten seconds of a change, because
// keys rotate; a path that does not begin with '/' is one beside the file of issuers.
#pragma once

#include "sessions/jwt.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::sessions {

// Whom a token proves to be.
struct proven_player {
  // `<issuer's name>:<sub>`; a `sub` that no id can hold, or that begins with "sha256-", becomes
  // "sha256-" and the first 32 digits of its SHA-256.
  std::string player_id;
  std::string name;  // to be shown; the token's, or the id when that has none that may be shown
};

// Belongs to one thread.
class issuers {
 public:
  static constexpr std::size_t issuers_limit = 16;
  static constexpr std::chrono::seconds look_again{10};

  // None.
  issuers() = default;
  // invalid_argument, and what is wrong with which file.
  static result<issuers> load(const std::string& file);

  // unauthenticated, and why: for the log, not for the caller.
  result<proven_player> verify(std::string_view token, timestamp now);

 private:
  struct issuer {
    std::string name;
    jwt_rules rules;
    std::string keys_file;
    jwt_key_set keys;
    std::filesystem::file_time_type changed_at;
    std::chrono::steady_clock::time_point looked_at;
  };
  static result<issuer> read_issuer(const std::string& file, const boost::json::object& given);
  static void look_for_new_keys(issuer& of);

  std::vector<issuer> all_;
};

}  // namespace skirmish::sessions
