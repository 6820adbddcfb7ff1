// The Redis keys of players.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <string>

namespace skirmish::players {

// user:<player_id>, a hash: name, email, level, created_at, version. The cached profile; lives 60
// minutes after the player's last activity.
//
// The cache module owns it (include/skirmish/cache.hpp), under this name behind the world's tag.
inline std::string profile_name(std::string_view player_id) {
  return std::string("user:").append(redis::id_part(player_id));
}
inline constexpr std::chrono::seconds profile_ttl{3600};

// player:<player_id>, a hash: hp, mp, stamina, interaction, damage_dealt, target, lat, lon,
// updated_at, level, and the counters kills, completions and chats once they are not 0. The live
// state; it lives as long as the player does, and a player is known to the game when it exists.
inline std::string state_key(const redis::key_space& keys, std::string_view player_id) {
  return keys.key("player", player_id);
}

// actions:<player_id>, a list of JSON texts, newest first, capped at interactions.actions_limit.
inline std::string actions_key(const redis::key_space& keys, std::string_view player_id) {
  return keys.key("actions", player_id);
}

// keys:version, a string: `2` once last actions have their name (old_keys.hpp).
inline std::string key_version_key(const redis::key_space& keys) {
  return keys.key("keys:version");
}

// move:<player_id>, a hash: lat, lon, alt, ts. The live position; lives as long as its sender said
// (10 to 60 s).
inline std::string move_key(const redis::key_space& keys, std::string_view player_id) {
  return keys.key("move", player_id);
}

// presence@players, a sorted set: player → when its presence on chat channels ends unless renewed
// (ms since 1970); chat/presence.lua writes it.
inline std::string present_players_key(const redis::key_space& keys) {
  return keys.key("presence@players");
}

// players:levelled, a set: players whose level in SQL may be behind that of their live state. Redis
// holds it until the level writer has written them.
inline std::string levelled_key(const redis::key_space& keys) {
  return keys.key("players:levelled");
}

}  // namespace skirmish::players
