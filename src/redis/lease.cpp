#include "redis/lease.hpp"

#include "core/ids.hpp"
#include "core/repeat.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>

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

// Asked at the end of a server, which does not wait for long.
constexpr std::chrono::milliseconds farewell_limit = 1s;

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
  may_be_held_ = true;
  const auto reply = checked(co_await redis_.eval(lease_script, keys, args, options_));
  may_be_held_ = reply.as_bool();
  co_return may_be_held_;
}

awaitable<void> lease::release() {
  const std::string_view keys[] = {key_};
  const std::string_view args[] = {token_};
  checked(co_await redis_.eval(release_script, keys, args, options_));
  may_be_held_ = false;
}

awaitable<void> lease::give_back() {
  if (!may_be_held_) co_return;
  options_.timeout = std::min(options_.timeout.value_or(farewell_limit), farewell_limit);
  try {
    co_await release();
  } catch (const std::exception&) {
    // A cancelled caller gets an error of Asio's for a lost connection.
  }
}

awaitable<void> give_back_after(lease& mine, std::function<awaitable<void>()> work) {
  std::exception_ptr problem;
  try {
    co_await work();
  } catch (...) {
    problem = std::current_exception();
  }
  // After a cancellation too, there is one more thing to wait for.
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await mine.give_back();
  co_await asio::this_coro::throw_if_cancelled(true);
  if (problem) std::rethrow_exception(problem);
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
  const auto led = [&] { return repeat_every(how, round); };
  co_await give_back_after(mine, led);
}

}  // namespace skirmish::redis
