#include "levels/popular_refresher.hpp"

#include "levels/levels_keys.hpp"

namespace skirmish::levels {

popular_refresher::popular_refresher(redis::client& redis, const redis::key_space& keys,
                                     service& levels, std::chrono::milliseconds interval,
                                     game_settings game)
    : redis_(redis),
      levels_(levels),
      interval_(interval),
      game_(std::move(game)),
      lease_(redis, popular_lease_key(keys), 3 * interval) {}

awaitable<void> popular_refresher::run() {
  auto refresh = [this]() -> awaitable<bool> {
    co_await levels_.refresh_popular(count, lease_.token(), game_);
    co_return false;
  };
  co_await redis::run_led(redis_, lease_, interval_, "popular_levels", refresh);
}

}  // namespace skirmish::levels
