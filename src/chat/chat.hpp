// Chat: who may speak and read where, saying something, history, moderation. Fan-out to sockets is
// hub.hpp.
//
// Channels: those of chat.channels (`general`), `achievement` and `cache` (read-only for players),
// `team:<x>`, `level:<id>`, and `dm:<player_id>`: a player's own conversations. A message to
// `dm:bob` reaches bob, and stands in the sender's own `dm:` too.
#pragma once

#include "chat/channels.hpp"
#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/stream_id.hpp"
#include "game_settings.hpp"
#include "http/exchange.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <optional>
#include <string>
#include <vector>

namespace skirmish::chat {

struct settings {
  game_settings game;  // history bounds and achievement rules
  channel_rules rules;
  std::int64_t rate_per_s = 10;         // messages that may be said for one player; 0: no limit
  std::int64_t burst = 20;              // and at once
  std::int64_t key_rate_per_s = 1'000;  // that one game server's key may send; 0: no limit
  std::int64_t key_burst = 2'000;
};

// The id of a message: that of its stream entry.
using message_id = stream_id;

// A message as JSON text: {"channel","id","from","text","ts"} and, by its kind, "to", "achievement"
// and others.
struct message {
  message_id id;
  std::string json;
};

struct history {
  std::vector<message> messages;  // oldest first
  bool recovered = true;          // nothing between `since` and the first of them has been dropped
  message_id last;                // of the whole channel
};

struct sent {
  std::string id;
  timestamp ts;
};

class service {
 public:
  service(redis::client& redis, const redis::key_space& keys, const clock& time, settings s);

  // not_found when there is no such channel; unauthenticated or forbidden when `who` may not.
  [[nodiscard]] result<void> may_read(const http::principal& who, std::string_view channel) const;
  [[nodiscard]] result<void> may_send(const http::principal& who, std::string_view channel) const;
  // Whom `who` speaks for: itself, or whom a game server names; an error when that does not fit.
  [[nodiscard]] result<std::string> speaker(const http::principal& who,
                                            std::optional<std::string> from) const;

  // forbidden for the muted and banned, rate_limited (the message says how long) for the hasty;
  // operators are neither.
  awaitable<result<sent>> send(http::principal who, std::string channel, std::string from,
                               std::string text);

  // The oldest messages behind `since`; without it the newest ones. At most `limit`.
  awaitable<history> read(std::string channel, std::optional<message_id> since, std::int64_t limit);
  // Whether the player may not read there.
  awaitable<bool> is_banned(std::string channel, std::string player_id);

  // `why` and the id of the API key `by` are listed (moderation.hpp).
  awaitable<void> mute(std::string channel, std::string player_id, std::chrono::seconds how_long,
                       std::string why, std::string by);
  awaitable<void> unmute(std::string channel, std::string player_id);
  awaitable<void> ban(std::string channel, std::string player_id, std::string why, std::string by);
  awaitable<void> unban(std::string channel, std::string player_id);
  // not_found when the message is not there (any more).
  awaitable<result<void>> remove(std::string channel, std::string id);

  // A player is deleted: it is taken off the open channels and those on which something was said
  // lately. Its bans and mutes stay.
  awaitable<void> forget_player(std::string player_id);
  // A channel's history, mutes and bans go, and everybody is taken off it.
  awaitable<void> remove_channel(std::string channel);

  [[nodiscard]] const redis::key_space& keys() const noexcept { return keys_; }
  [[nodiscard]] const settings& configured() const noexcept { return settings_; }

 private:
  awaitable<void> take_off(std::string channel, std::string player_id);  // "": everybody

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  settings settings_;
};

}  // namespace skirmish::chat
