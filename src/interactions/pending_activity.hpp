// What players did: their interactions on the board `active` and in the open slice of the 24-hour
// window, and their last actions.
//
// Each player of a commit costs Redis about seven microseconds there, however little it did. So a
// big commit leaves its acts pending, and once a second those of all commits are filed together:
// under load most players act in many of them. Which acts are filed is decided here, but what is
// filed changes in Redis at once with how far that is, so each is counted once, whoever stops
// where.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "interactions/activity_delta.hpp"
#include "redis/client.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::interactions {

class pending_acts {
 public:
  // `slice`: of the 24-hour window. `actions_limit`: actions kept a player.
  pending_acts(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
               const clock& time, std::chrono::seconds slice, std::int64_t actions_limit);

  // Files what is pending now. Throws unavailable.
  awaitable<void> file_all();

  // Does so every second until cancelled; one of all servers does.
  awaitable<void> run_filer();

 private:
  struct taken {
    gathered_acts acts;
    std::int64_t first = 0;  // players filed ever before these
    std::size_t bytes = 0;
  };
  // Players filed ever: before those that are taken, and now.
  struct progress {
    std::int64_t first = 0;
    std::int64_t now = 0;
  };
  awaitable<std::optional<progress>> take_pending();
  awaitable<taken> read_taken(std::int64_t first);
  awaitable<bool> file_some(const taken& from, std::size_t first, std::size_t last);
  [[nodiscard]] std::vector<std::string> arguments() const;

  asio::io_context& io_;
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  const std::chrono::seconds slice_;
  const std::int64_t actions_limit_;
  asio::steady_timer rest_;
  redis::damaged_keys damaged_;
};

}  // namespace skirmish::interactions
