// Sessions of players: who a player's token is.
//
// A token reads `st_<64 hex digits>`, 256 random bits; Redis holds its SHA-256 only, and forgets
// the session when it was not used for settings::idle_ttl or is older than settings::lifetime.
//
// A check is answered from memory. Every thread reads twice a second what was ended early (a stream
// in Redis), so that a revocation is in force everywhere within a second. While Redis is away, or
// after it came back (perhaps without what it held), the player's epoch in SQL decides: a session
// has the one that its player had when it was opened. Ending all sessions of a player raises the
// epoch, and a new player begins with the time, so that it never has that of an earlier player of
// the same id.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "db/database.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::sessions {

struct settings {
  std::chrono::milliseconds idle_ttl{std::chrono::hours{7 * 24}};
  std::chrono::milliseconds lifetime{std::chrono::hours{30 * 24}};
  std::int64_t per_player = 16;  // the oldest end when there are more
};

struct session {
  std::string digest;  // of its token; not for anybody to see
  std::string session_id;
  std::string player_id;
  std::string name;    // what its owner calls it; may be empty
  std::string method;  // password, device, token or server
  timestamp created_at;
  timestamp seen_at;  // true to the minute
  timestamp ends_at;
  std::int64_t epoch = 0;
};

struct opened_session {
  std::string token;  // not stored anywhere
  session row;
};

// What was ended: one session, or all of the player's when `digest` is "*".
struct revocation {
  std::string player_id;
  std::string digest;
  [[nodiscard]] bool ends(std::string_view player, std::string_view session_digest) const noexcept {
    return player == player_id && (digest == "*" || digest == session_digest);
  }
};

class service {
 public:
  // Sessions and epochs remembered, each; when there are more, all are forgotten and read again.
  static constexpr std::size_t memory_limit = 100'000;
  // Players of whom it is remembered that sessions were ended while others are read.
  static constexpr std::size_t ended_limit = 10'000;

  service(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time,
          settings s);

  // Called on this thread for each revocation that another one, or this one, has made.
  void on_revoked(std::function<void(const revocation&)> handler) { revoked_ = std::move(handler); }
  // Follows the revocations until cancelled. Give it to a task_group.
  awaitable<void> run();

  // `epoch` as SQL had it when the player proved who it is.
  awaitable<opened_session> open(std::string player_id, std::int64_t epoch, std::string name,
                                 std::string method);

  // unauthenticated for a malformed, unknown, expired or revoked token. Throws unavailable when
  // Redis is away and the session is not remembered.
  awaitable<result<session>> check(std::string token);
  // The same for one that was checked before, by the digest of its token.
  awaitable<result<session>> check_digest(std::string digest);

  // A message on an open socket is a use of its session; one that only listens is not.
  void note_use(const std::string& player_id, const std::string& digest, bool was_used);
  // Tells Redis of those uses, and on_revoked() of sessions that are found to have ended, of
  // listeners too, until cancelled. Give it to a task_group.
  awaitable<void> run_uses();

  // A text that opens one WebSocket as this session within 30 s: for browsers, which cannot send
  // headers with it.
  awaitable<std::string> make_ticket(std::string digest);
  awaitable<result<session>> take_ticket(std::string ticket);

  // Those that live, the newest first.
  awaitable<std::vector<session>> list(std::string player_id);
  // not_found when the player has no such session.
  awaitable<result<void>> close(std::string player_id, std::string session_id);
  // The one of a token that check() has accepted. Ending it twice is fine.
  awaitable<void> close_digest(std::string player_id, std::string digest);
  // Ends all of a player, for good, whatever Redis remembers. not_found when there is no such
  // player.
  awaitable<result<void>> close_all(std::string player_id);
  // The part of it that tells Redis and every server, for a player whose epoch was raised.
  // Of a player that was deleted, too.
  awaitable<void> announce_end_of_all(std::string player_id);

  [[nodiscard]] const settings& limits() const noexcept { return settings_; }

 private:
  awaitable<void> look_at_uses();

  struct remembered {
    session row;
    std::chrono::steady_clock::time_point read_at;
  };

  struct reading {
    std::optional<session> row;
    bool is_blind = false;  // what was remembered, because Redis is away
  };

  // What may be answered from memory; nullopt: read it.
  std::optional<result<session>> recall(const std::string& digest) const;
  awaitable<reading> read_or_recall(std::string digest);
  awaitable<std::optional<session>> read(std::string digest, redis::exec_options options = {});
  awaitable<bool> is_current(const session& s);
  awaitable<void> find_ended(std::vector<std::pair<std::string, std::string>> listeners);
  awaitable<void> follow_once();
  void apply(const revocation& r);
  void forget_all();
  // Whether what was read of the player when heard_ was `mark` may be outdated by what was heard of
  // since.
  [[nodiscard]] bool has_ended_since(std::uint64_t mark, const std::string& player_id) const;
  // Whether what is remembered may be used without a look at SQL.
  [[nodiscard]] bool follows() const;

  redis::client& redis_;
  db::database& db_;
  const redis::key_space& keys_;
  const clock& clock_;
  settings settings_;
  std::function<void(const revocation&)> revoked_ = [](const revocation&) {};
  boost::unordered_flat_map<std::string, remembered> sessions_;  // by digest
  boost::unordered_flat_map<std::string, std::int64_t> epochs_;  // by player, as SQL has them
  std::uint64_t heard_ = 0;                                      // revocations
  std::uint64_t forgot_at_ = 0;  // heard_ when ended_ was emptied last
  boost::unordered_flat_map<std::string, std::uint64_t> ended_;    // player → heard_ then
  boost::unordered_flat_map<std::string, std::string> uses_;       // digest → player
  boost::unordered_flat_map<std::string, std::string> listeners_;  // the same
  std::string position_;  // in the stream of revocations; empty: not known
  std::uint64_t connection_ = 0;
  std::chrono::steady_clock::time_point followed_at_{};
};

}  // namespace skirmish::sessions
