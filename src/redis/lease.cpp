#include "redis/lease.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"

#include <boost/asio/steady_timer.hpp>

namespace skirmish::redis {
namespace {

using namespace std::chrono_literals;

const script lease_script{
    "redis/lease",
#include "redis/lease.lua.inc"
};

const script release_script{
    "redis/release",
#include "redis/release.lua.inc"
};

}  // namespace

lease::lease(client& redis, std::string key, std::chrono::milliseconds ttl, exec_options options)
    : redis_(redis),
      key_(std::move(key)),
      ttl_ms_(std::to_string(ttl.count())),
      options_(options),
      token_(random_hex(8)) {}

awaitable<bool> lease::hold() {
  const std::string_view keys[] = {key_};
  const std::string_view args[] = {token_, ttl_ms_};
  const auto reply = checked(co_await redis_.eval(lease_script, keys, args, options_));
  co_return reply.as_bool();
}

awaitable<void> lease::release() {
  const std::string_view keys[] = {key_};
  const std::string_view args[] = {token_};
  checked(co_await redis_.eval(release_script, keys, args, options_));
}

awaitable<void> run_led(asio::io_context& io, client& redis, lease& mine,
                        std::chrono::milliseconds interval, std::string name,
                        std::function<awaitable<bool>()> work) {
  asio::steady_timer pause(io);
  while (true) {
    try {
      // At the start the connection is still being made; the first turn should not wait for the
      // second.
      co_await redis.wait_connected(5s);
      bool again = co_await mine.hold();
      while (again) {
        again = co_await work();
        if (again) again = co_await mine.hold();
      }
    } catch (const failure& e) {
      log::warn("leader_failed", {{"work", name}, {"error", e.what()}});
    }
    pause.expires_after(interval);
    co_await pause.async_wait(use_awaitable);
  }
}

}  // namespace skirmish::redis
