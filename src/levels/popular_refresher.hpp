// Keeps the most popular levels cached: one leader among many servers, by a lease.
#pragma once

#include "core/asio.hpp"
#include "levels/levels.hpp"
#include "redis/lease.hpp"

#include <chrono>

namespace skirmish::levels {

class popular_refresher {
 public:
  static constexpr std::int64_t count = 10;

  popular_refresher(redis::client& redis, const redis::key_space& keys, service& levels,
                    std::chrono::milliseconds interval, game_settings game);

  // Until cancelled; give it to a task_group.
  awaitable<void> run();

 private:
  redis::client& redis_;
  service& levels_;
  std::chrono::milliseconds interval_;
  game_settings game_;
  redis::lease lease_;
};

}  // namespace skirmish::levels
