// Activity of players: their interactions on the board `active` and in the open slice of the
// 24-hour window, and their last actions.
//
// Each player of a commit costs Redis about seven microseconds there, however little it did. So a
// big commit leaves its activity pending, and once a second that of all commits is flushed
// together: under load most players act in many of them. What is flushed next is decided here, but
// Redis changes at once what is flushed and how far that is, so each is counted once, whoever stops
// where.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "interactions/activity_delta.hpp"
#include "interactions/flush_pace.hpp"
#include "redis/client.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::interactions {

class pending_activity {
 public:
  // Runs on the client's thread. `slice`: of the 24-hour window. `actions_limit`: actions kept per
  // player.
  pending_activity(redis::client& redis, const redis::key_space& keys, const clock& time,
                   std::chrono::seconds slice, std::int64_t actions_limit);

  // Flushes what is pending now; false when that was nothing, or little. Throws unavailable.
  awaitable<bool> flush_all();

  // Does so every second until cancelled; one of all servers does.
  awaitable<void> run_flusher();

 private:
  struct taken {
    activity_totals totals;
    std::int64_t first = 0;  // players flushed ever before these
    std::size_t bytes = 0;
  };
  // Players flushed ever: before those that are taken, and now.
  struct progress {
    std::int64_t first = 0;
    std::int64_t now = 0;
    std::chrono::milliseconds age{};  // of the oldest that is taken
  };
  awaitable<std::optional<progress>> take_pending();
  awaitable<taken> read_taken(std::int64_t first);
  awaitable<bool> flush_some(const taken& from, std::size_t first, std::size_t last);
  [[nodiscard]] std::vector<std::string> arguments() const;

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  const std::chrono::seconds slice_;
  const std::int64_t actions_limit_;
  redis::damaged_keys damaged_;
  flush_pace pace_{std::chrono::microseconds(10)};  // a player
};

}  // namespace skirmish::interactions
