// The Redis keys of interactions. The script commit.lua builds the same names; change both.
#pragma once

#include "redis/key_space.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace skirmish::interactions {

// <attacker_id>:<target_id>, where a ':' inside of an id is written as %3A: no two pairs are the
// same text. Appended to `out`.
inline void append_pair(std::string& out, std::string_view attacker, std::string_view target) {
  const auto append = [&out](std::string_view id) {
    for (auto colon = id.find(':'); colon != id.npos; colon = id.find(':')) {
      out.append(id.substr(0, colon)).append("%3A");
      id.remove_prefix(colon + 1);
    }
    out.append(id);
  };
  append(attacker);
  out += ':';
  append(target);
}

// attack:<pair>, a hash: id, damage, ts. The latest attack of this pair; lives 24 hours.
inline std::string attack_key(const redis::key_space& keys, std::string_view attacker,
                              std::string_view target) {
  auto name = keys.key("attack:");
  append_pair(name, redis::id_part(attacker), redis::id_part(target));
  return name;
}
inline constexpr std::chrono::seconds attack_ttl{86'400};

// attacks:pending:<part>, a list: lines of attack records (see flush_attacks.lua) that are not
// under their own keys yet, and newer than what is there. attacks:pending, a number: their bytes,
// in all.
inline std::string pending_bytes_key(const redis::key_space& keys) {
  return keys.key("attacks:pending");
}
inline std::string pending_key(const redis::key_space& keys, std::size_t part) {
  return keys.key("attacks:pending", std::to_string(part));
}
inline constexpr std::size_t attack_parts = 32;

// attacks:index:<part>, a list: for each element of attacks:pending:<part>, in the same order, the
// same first line and then four bytes for each record (append_fingerprint).
inline std::string pending_index_key(const redis::key_space& keys, std::size_t part) {
  return keys.key("attacks:index", std::to_string(part));
}

// attacks:fence, a number: grows whenever a flusher of attack records begins, or begins again after
// a failure. Each writes on the condition that nobody has begun since.
inline std::string attack_fence_key(const redis::key_space& keys) {
  return keys.key("attacks:fence");
}

// attacks:filer, a string: the token of the server that flushes them.
inline std::string attack_flusher_key(const redis::key_space& keys) {
  return keys.key("attacks:filer");
}

// acts:pending, a list: activity of commits under load that is not counted yet
// (activity_delta.hpp), a commit each. acts:filing, a list: the same, taken by the flusher.
// acts:filed, a hash: how many players have been flushed ever (`players`), and had been before
// those
// (`first`), and when the oldest of acts:filing was committed (`since`, ms since 1970). acts:since,
// a number: the same of acts:pending. acts:bytes, a number: bytes of both lists.
inline std::string pending_activity_key(const redis::key_space& keys, std::string_view what) {
  return keys.key("acts", what);
}

// FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
inline std::uint32_t attack_hash(std::string_view attacker, std::string_view target) {
  std::uint32_t hash = 2'166'136'261;
  for (const auto text : {attacker, target})
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619;
  return hash;
}
// The part of a pair, and what stands for it in the index.
inline std::size_t attack_part(std::uint32_t hash) { return (hash ^ hash >> 16) % attack_parts; }
inline void append_fingerprint(std::string& out, std::uint32_t hash) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(hash >> shift & 0xFF);
}

// interactions, a stream, capped: the ordered event log. Each entry is one commit: `n` events,
// `events` one JSON a line.
inline std::string log_key(const redis::key_space& keys) { return keys.key("interactions"); }

// ingest:<stream_id>, a string: the last committed sequence number of a stream, the claim of its
// writer and its owner (claim_stream.lua); lives 24 hours after the last frame.
inline std::string stream_key(const redis::key_space& keys, std::string_view stream_id) {
  return keys.key("ingest", stream_id);
}

// Pub/Sub channel: claims of streams, each `<claim> <stream_id>`.
inline std::string claims_channel(const redis::key_space& keys) {
  return keys.key("ingest@claims");
}

// commit:<writer>, a string: number of the last commit of this server thread and its outcome; lives
// 24 hours.
inline std::string commit_key(const redis::key_space& keys, std::string_view writer) {
  return keys.key("commit", writer);
}
inline constexpr std::chrono::seconds commit_ttl{86'400};

// eventdigests:<period>, a hash: what events of that period of 10 minutes are known by → a digest
// of them (event_key; bounded). Lives 20 minutes.
inline constexpr std::chrono::seconds event_id_period{600};

// Pub/Sub channel `activity`: JSON of what just happened (deaths).
inline constexpr const char* activity_channel = "activity";

}  // namespace skirmish::interactions
