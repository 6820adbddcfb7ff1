// The Redis keys of chat. chat/deliver.lua and chat/say.lua build the same names; change both.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::chat {

// chat:<channel>, a stream, capped at chat.history_limit: from, text, ts, extra (more members of
// the message, as JSON behind a comma). Lives chat.history_ttl after the last message. The entry's
// id is the message's id. Each message is also published on the channel's own name (`general`).
inline std::string history_key(const redis::key_space& keys, std::string_view channel) {
  return keys.key("chat", channel);
}

// chatmutes:<channel>, a sorted set: player → until when it may not speak (ms since 1970). Who is
// past that is removed with the next mute.
inline std::string mutes_key(const redis::key_space& keys, std::string_view channel) {
  return keys.key("chatmutes", channel);
}

// chatbans:<channel>, a sorted set: player → when it was banned (ms since 1970). No TTL.
inline std::string bans_key(const redis::key_space& keys, std::string_view channel) {
  return keys.key("chatbans", channel);
}

// chatmute_notes:<channel> and chatban_notes:<channel>, hashes: player → why, by whom and when, as
// JSON, of those in the sets above. No TTL.
inline std::string mute_notes_key(const redis::key_space& keys, std::string_view channel) {
  return keys.key("chatmute_notes", channel);
}
inline std::string ban_notes_key(const redis::key_space& keys, std::string_view channel) {
  return keys.key("chatban_notes", channel);
}

// chat@channels, a sorted set: channel → time of its last message (ms since 1970); the newest 10,000
// whose history is kept. chat/deliver.lua writes it.
inline std::string channels_key(const redis::key_space& keys) { return keys.key("chat@channels"); }

// ratelimit:chat:<player_id> and ratelimit:chatkey:<key_id>, strings: when the allowance of the
// player, or of the API key that speaks for it, is full again (µs since 1970; GCRA). Live until
// then. chat/say.lua alone uses them.

// presence:<channel>, a sorted set: player → when its presence ends unless renewed (ms since 1970).
// Joins and leaves are published on the channel of the same name.
inline std::string presence_key(const redis::key_space& keys, std::string_view channel) {
  return keys.key("presence", channel);
}

// presence:<channel>@<player_id>, a sorted set: server thread → the same. presence.lua builds it.
inline std::string presence_key(const redis::key_space& keys, std::string_view channel,
                                std::string_view player_id) {
  return keys.key("presence", channel, player_id);
}

}  // namespace skirmish::chat
