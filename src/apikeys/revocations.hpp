// Revoked API keys: how every server process hears of a revocation within a second, and remembers
// it.
//
// SQL holds the truth (`api_keys.revoked_at`). Whoever revokes a key announces it in Redis, too,
// and each process looks at both twice a second: a revocation is in force while either can be
// reached. Requests and sockets are then checked in memory.
#pragma once

#include "core/asio.hpp"
#include "core/task_group.hpp"
#include "db/database.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::apikeys {

// The ids of revoked keys. Thread-safe. A revoked key never becomes valid again.
class revoked_keys {
 public:
  [[nodiscard]] bool contains(std::string_view key_id) const;
  // Grows with each new id: who has seen this version has nothing to look for.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  void add(const std::vector<std::string>& key_ids);

 private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> ids_;
  std::atomic<std::uint64_t> version_{0};
};

// Tells all servers of this world. The key stays refused for as long as Redis remembers it, also
// when SQL could not be told.
awaitable<void> announce_revocation(redis::client& redis, const redis::key_space& keys,
                                    std::string key_id);

// Keeps `revoked` up to date; one per process. Belongs to one thread.
class revocation_watch {
 public:
  static constexpr std::chrono::milliseconds period{500};

  revocation_watch(asio::io_context& io, const redis::connection_config& redis,
                   const redis::key_space& keys, db::database& db, revoked_keys& revoked);

  void start();
  // Await it before the destruction.
  awaitable<void> stop();

 private:
  awaitable<void> look_in_redis();
  awaitable<void> look_in_sql();

  redis::client redis_;
  const redis::key_space& keys_;
  db::database& db_;
  revoked_keys& revoked_;
  task_group group_;
  // How many each of them named last: the ids are read when that differs.
  std::int64_t in_redis_ = 0;
  std::int64_t in_sql_ = 0;
};

}  // namespace skirmish::apikeys
