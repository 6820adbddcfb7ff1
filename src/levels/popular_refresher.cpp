#include "levels/popular_refresher.hpp"

#include "core/log.hpp"
#include "levels/levels_keys.hpp"

#include <boost/asio/steady_timer.hpp>

namespace skirmish::levels {
namespace {

using namespace std::chrono_literals;

// Between two looks for levels that have become popular, so that they cost little under load.
constexpr auto entrants_pause = 250ms;

}  // namespace

popular_refresher::popular_refresher(redis::client& redis, const redis::key_space& keys,
                                     service& levels, std::chrono::milliseconds interval,
                                     game_settings game)
    : redis_(redis),
      levels_(levels),
      interval_(interval),
      game_(std::move(game)),
      lease_(redis, popular_lease_key(keys), 3 * interval),
      woken_(redis.context()) {}

awaitable<void> popular_refresher::run() {
  auto refresh = [this]() -> awaitable<bool> {
    co_await levels_.refresh_popular(count, lease_.token(), game_);
    co_return false;
  };
  co_await redis::run_led(redis_, lease_, interval_, "popular_levels", refresh);
}

void popular_refresher::wake() {
  is_due_ = true;
  woken_.set();
}

awaitable<void> popular_refresher::run_entrants() {
  asio::steady_timer pause(redis_.context());
  while (true) {
    while (!is_due_) co_await woken_.wait();
    is_due_ = false;
    try {
      const bool all_done = co_await levels_.cache_entrants(count, game_);
      if (!all_done) is_due_ = true;
    } catch (const failure& e) {
      // The leader's cycle makes it good.
      log::debug("entrants_failed", {{"error", e.what()}});
    }
    // What comes meanwhile is done together.
    pause.expires_after(entrants_pause);
    co_await pause.async_wait(use_awaitable);
  }
}

}  // namespace skirmish::levels
