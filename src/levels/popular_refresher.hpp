// Keeps the most popular levels cached. A level that becomes popular is cached at once by the
// server that learns of it; one leader among all servers, by a lease, looks after all of them now
// and then.
#pragma once

#include "core/asio.hpp"
#include "core/event.hpp"
#include "levels/levels.hpp"
#include "redis/lease.hpp"

#include <chrono>

namespace skirmish::levels {

class popular_refresher {
 public:
  static constexpr std::int64_t count = 10;

  popular_refresher(redis::client& redis, const redis::key_space& keys, service& levels,
                    std::chrono::milliseconds interval, game_settings game);

  // Both until cancelled; give them to a task_group. run(): the leader's cycle.
  awaitable<void> run();
  awaitable<void> run_entrants();
  // Levels may have become popular.
  void wake();

 private:
  redis::client& redis_;
  service& levels_;
  std::chrono::milliseconds interval_;
  game_settings game_;
  redis::lease lease_;
  event woken_;
  bool is_due_ = false;
};

}  // namespace skirmish::levels
