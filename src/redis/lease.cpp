#include "redis/lease.hpp"

#include "core/ids.hpp"
#include "core/repeat.hpp"

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

awaitable<void> run_led(client& redis, lease& mine, std::chrono::milliseconds interval,
                        std::string name, std::function<awaitable<bool>()> work) {
  repeat how{.interval = interval,
             .failed = "leader_failed",
             .level = log::level::warn,
             .work = std::move(name)};
  auto round = [&redis, &mine, work = std::move(work)]() -> awaitable<void> {
    // At the start the connection is still being made; the first round should not wait for the
    // second.
    co_await redis.wait_connected(5s);
    bool again = co_await mine.hold();
    while (again) {
      again = co_await work();
      if (again) again = co_await mine.hold();
    }
  };
  return repeat_every(std::move(how), std::move(round));
}

}  // namespace skirmish::redis
