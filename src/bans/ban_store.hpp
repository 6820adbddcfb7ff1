// Bans in Redis, where all servers of a world look: a change is in force on each within a second,
// and survives restarts. While Redis is away, what was known last holds.
#pragma once

#include "bans/ban.hpp"
#include "bans/ban_table.hpp"
#include "core/asio.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::bans {

class store {
 public:
  store(redis::client& redis, const redis::key_space& keys, const clock& time)
      : redis_(redis), keys_(keys), clock_(time) {}

  // Those in force, by kind and value.
  awaitable<std::vector<ban>> list();
  awaitable<std::optional<ban>> find(subject of);
  // Replaces the one of the same subject. conflict when there are bans_max.
  awaitable<result<void>> put(ban b);
  // not_found when there is none.
  awaitable<result<void>> remove(subject of);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
};

// Keeps the table up to date; one per process. Belongs to one thread.
class watch {
 public:
  static constexpr std::chrono::milliseconds period{500};

  watch(asio::io_context& io, const redis::connection_config& redis, const redis::key_space& keys,
        const clock& time, ban_table& table);

  void start();
  // Await it before the destruction.
  awaitable<void> stop();

 private:
  awaitable<void> run();
  awaitable<void> look();

  redis::client redis_;
  const redis::key_space& keys_;
  store store_;
  ban_table& table_;
  task_group group_;
  std::optional<std::string> seen_;  // the version that the table holds
};

}  // namespace skirmish::bans
