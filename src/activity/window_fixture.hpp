// A world of happenings whose truth is kept one by one beside the window under test.
#pragma once

#include "activity/activity_keys.hpp"
#include "activity/window.hpp"
#include "leaderboards/leaderboards.hpp"
#include "redis/views.hpp"
#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace skirmish::activity {

using counts = std::map<std::string, std::int64_t>;

inline const redis::script credit_script{
    "test_credit",
// clang-format off: in this order
#include "redis/attempt.lua.inc"
#include "activity/open_slice.lua.inc"
#include "bench/credit.lua.inc"
    // clang-format on
};

// What happened, kept one by one: the truth.
struct happening {
  timestamp at;
  std::string player;
  std::int64_t count;
};

inline std::string player(std::uint64_t number) { return fmt::format("player{:05}", number); }

// A function, because braced lists inside a co_await expression are miscompiled by g++ 12.
template <class... Rest>
counts of(const std::string& who, std::int64_t count, const Rest&... rest) {
  counts out;
  if constexpr (sizeof...(rest) > 0) out = of(rest...);
  out[who] = count;
  return out;
}

class window_fixture : public testing::redis_fixture {
 protected:
  static constexpr std::chrono::seconds hour{3'600};

  // Servers slice time as `slice` says; `on` is their clock.
  awaitable<void> credit(counts what, const clock* on = nullptr) {
    const auto now = (on ? *on : time).now();
    const auto start = now.time_since_epoch() / slice * slice;
    std::vector<std::string> args{keys.prefix(), std::to_string(start.count()),
                                  std::to_string(slice.count())};
    for (const auto& [who, count] : what) {
      args.push_back(who);
      args.push_back(std::to_string(count));
      happened.push_back({now, who, count});
    }
    const std::string board = "leaderboard:active";
    const std::string_view script_keys[] = {board};
    const auto views = redis::views(args);
    redis::checked(co_await redis.eval(credit_script, script_keys, views));
  }

  awaitable<void> catch_up(window& by) {
    bool more = true;
    while (more) more = co_await by.step();
  }

  // The window by definition: what lies in slices whose end is younger than it is long.
  counts expected() const {
    counts out;
    for (const auto& h : happened) {
      const auto end = (h.at.time_since_epoch() / slice + 1) * slice;
      if (time.now().time_since_epoch() - end < length) out[h.player] += h.count;
    }
    return out;
  }

  awaitable<counts> shown() {
    const auto reply =
        redis::checked(co_await redis.command("ZRANGE", "leaderboard:active", 0, -1, "WITHSCORES"));
    counts out;
    for (const auto& pair : reply.elements())
      out[pair[0].as_string()] = static_cast<std::int64_t>(pair[1].as_double().value_or(-1));
    co_return out;
  }

  // Keys of slices and of what is known about them, but for the watermark and the total.
  awaitable<std::set<std::string>> slice_keys() {
    const auto found = redis::checked(co_await redis.command("KEYS", "activity:*"));
    const auto names = found.as_strings();
    std::set<std::string> out(names.begin(), names.end());
    out.erase("activity:closed");
    out.erase("activity:events");
    co_return out;
  }

  window_settings settings() const { return {slice, length}; }

  std::chrono::seconds slice{60};
  std::chrono::seconds length{hour};
  manual_clock time;
  redis::key_space keys;
  metrics::registry metrics;
  std::vector<happening> happened;
};

}  // namespace skirmish::activity
