// Logging in: who proves to be a player gets a session.
//
// Whatever is wrong, the answer and its time are the same. Failed attempts make later ones wait:
// the account's from the fifth on and the address's from the hundredth, a second and twice as long
// each time, up to a minute. An address from which the account has logged in during 30 days does
// not wait for what others try elsewhere, so that nobody can lock an owner out.
#pragma once

#include "http/bans.hpp"
#include "sessions/credentials.hpp"
#include "sessions/issuers.hpp"
#include "sessions/password_hasher.hpp"
#include "sessions/sessions.hpp"

#include <functional>
#include <string>
#include <utility>

namespace skirmish::sessions {

// An account is named by a player's id or by its e-mail address.
struct password_attempt {
  std::string player_id;  // empty: by e-mail address
  std::string email;
  std::string password;
  std::string name;     // of the session
  std::string address;  // where it comes from
};

struct device_attempt {
  std::string device_id;
  std::string secret;
  std::string name;
  std::string address;
};

struct token_attempt {
  std::string token;  // a JWT of one of the issuers
  std::string name;
  std::string address;
};

// Creates the player unless it exists.
using player_creator = std::function<awaitable<void>(std::string player_id, std::string name)>;

class login {
 public:
  login(redis::client& redis, const redis::key_space& keys, const clock& time,
        credentials& accounts, password_hasher& hasher, service& sessions, issuers trusted,
        player_creator create_player)
      : redis_(redis),
        keys_(keys),
        clock_(time),
        accounts_(accounts),
        hasher_(hasher),
        sessions_(sessions),
        issuers_(std::move(trusted)),
        create_player_(std::move(create_player)) {}

  // Players on it get no session.
  void refuse_banned(const http::ban_list& bans) noexcept { bans_ = &bans; }

  // unauthenticated with one text for every fault; rate_limited, or forbidden for a player that is
  // banned, and how long to wait in `wait`.
  awaitable<result<opened_session>> by_password(password_attempt a,
                                                std::chrono::milliseconds& wait);
  awaitable<result<opened_session>> by_device(device_attempt a, std::chrono::milliseconds& wait);
  // Creates the player at its first login.
  awaitable<result<opened_session>> by_token(token_attempt a, std::chrono::milliseconds& wait);
  // A game server's or an operator's word. not_found when there is no such player.
  awaitable<result<opened_session>> vouched(std::string player_id, std::string name,
                                            std::chrono::milliseconds& wait);

  // Stores a new password and ends all sessions. `current` is checked unless it is nullopt.
  awaitable<result<void>> change_password(std::string player_id, std::optional<std::string> current,
                                          std::string password, std::string address,
                                          std::chrono::milliseconds& wait);

 private:
  struct gate {
    std::string account;  // digest of its name
    std::string address;
  };
  awaitable<std::chrono::milliseconds> admit(gate g);
  // After success. `known_for`: how long its address is known; 0 when the account's name is one
  // that nobody logs in by again.
  awaitable<void> clear(gate g, std::chrono::milliseconds known_for);

  // The last step of each kind of login.
  awaitable<result<opened_session>> open(std::string player_id, std::int64_t epoch,
                                         std::string name, std::string method,
                                         std::chrono::milliseconds& wait);

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  credentials& accounts_;
  password_hasher& hasher_;
  service& sessions_;
  issuers issuers_;
  player_creator create_player_;
  const http::ban_list* bans_ = nullptr;
};

}  // namespace skirmish::sessions
