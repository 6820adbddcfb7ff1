#include "levels/popular_refresher.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "levels/levels_keys.hpp"

#include <boost/asio/steady_timer.hpp>

namespace skirmish::levels {
namespace {

using namespace std::chrono_literals;

const redis::script lease_script{
    "levels/lease",
#include "levels/lease.lua.inc"
};

}  // namespace

popular_refresher::popular_refresher(asio::io_context& io, redis::client& redis,
                                     const redis::key_space& keys, service& levels,
                                     std::chrono::milliseconds interval,
                                     interactions::game_settings game)
    : io_(io),
      redis_(redis),
      keys_(keys),
      levels_(levels),
      interval_(interval),
      game_(std::move(game)),
      token_(random_hex(8)) {}

awaitable<bool> popular_refresher::lead() {
  const auto lease = popular_lease_key(keys_);
  const auto ttl = std::to_string(3 * interval_.count());
  const std::string_view keys[] = {lease};
  const std::string_view args[] = {token_, ttl};
  const auto reply = redis::checked(co_await redis_.eval(lease_script, keys, args));
  co_return reply.as_bool();
}

awaitable<void> popular_refresher::run() {
  asio::steady_timer pause(io_);
  while (true) {
    try {
      // At the start the connection is still being made; the first refresh should not wait for the
      // second turn.
      co_await redis_.wait_connected(5s);
      if (co_await lead()) co_await levels_.refresh_popular(count, token_, game_);
    } catch (const failure& e) {
      log::warn("popular_levels_not_refreshed", {{"error", e.what()}});
    }
    pause.expires_after(interval_);
    co_await pause.async_wait(use_awaitable);
  }
}

}  // namespace skirmish::levels
