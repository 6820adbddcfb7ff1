// Temporary state: what players and game servers want kept for a while, under a key of a namespace.
//
// The namespace `player:<id>` belongs to that player; all others belong to the game servers
// together. Each has a quota of entries and of bytes, which an entry gives back when it ends.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::state {

inline constexpr std::size_t body_max_bytes = 64 << 10;
inline constexpr std::chrono::seconds ttl_max{30 * 24 * 3600};

struct quota {
  std::int64_t entries = 10'000;
  std::int64_t bytes = 64 << 20;
};

struct settings {
  quota servers;
  quota player{100, 1 << 20};
};

struct document {
  std::string body;
  bool is_json = true;  // else bytes
};

struct stored_entry {
  std::int64_t version = 0;  // the ETag; never the same twice
  timestamp ends_at;
  bool is_new = false;
};

struct entry {
  document value;
  std::int64_t version = 0;
  timestamp ends_at;
};

struct listed_entry {
  std::string key;
  std::int64_t size_bytes = 0;
  std::int64_t version = 0;
  timestamp ends_at;
};

struct page {
  std::vector<listed_entry> items;  // in the order of their keys
  std::string next;                 // the cursor of the next page; empty on the last one
};

// What a change asks of what stands there: `if_match` is empty, `*` or a version.
struct precondition {
  std::string if_match;
  bool if_missing = false;
};

// The player whose namespace that is; empty for all others.
std::string_view player_of(std::string_view name_space) noexcept;

// Ids and bodies are checked by the caller. Errors: already_exists when a precondition does not
// hold, conflict when a quota is used up or something else stands under a key in Redis, not_found.
class service {
 public:
  service(redis::client& redis, const redis::key_space& keys, settings s)
      : redis_(redis), keys_(keys), settings_(s) {}

  // not_found when the namespace is that of a player whose live state is not in Redis.
  awaitable<result<stored_entry>> put(std::string name_space, std::string key, document value,
                                      std::chrono::seconds life, precondition p);
  awaitable<result<entry>> get(std::string name_space, std::string key);
  awaitable<result<void>> remove(std::string name_space, std::string key, precondition p);
  awaitable<result<page>> list(std::string name_space, std::string after, std::int64_t limit);
  // Removes all entries, some at a time.
  awaitable<result<void>> clear(std::string name_space);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  settings settings_;
};

}  // namespace skirmish::state
