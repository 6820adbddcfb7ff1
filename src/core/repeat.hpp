// Background loops: the same work again and again, at a pace, through outages.
#pragma once

#include "core/asio.hpp"
#include "core/event.hpp"
#include "core/log.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace skirmish {

// How a loop goes on. Name it before you pass it: g++ 12 miscompiles a braced list in what is
// awaited.
struct repeat {
  // Rounds begin at multiples of it on the steady clock, so that all loops with the same interval
  // wake their thread together, and their commands reach Redis together. A round that takes longer
  // leaves ticks out.
  std::chrono::milliseconds interval{1'000};
  // A round begins an interval after the end of the one before, not at the next multiple: where
  // somebody gets something at most once per interval.
  bool counts_from_end = false;
  // The log event of a failed round, with its error: at `level` for the first of an outage, at
  // debug level for those that follow.
  std::string failed{};
  log::level level = log::level::debug;
  std::string work{};  // a field of that event, when several loops share it
  // The first round begins after an interval, not at once.
  bool pauses_first = false;
  // Ends a pause early. It must outlive the loop.
  event* wake = nullptr;
  // While it says so, only `wake` begins a round.
  std::function<bool()> is_idle = nullptr;
};

// Calls `round` until it is cancelled. What it throws as a `failure` is logged, and the next round
// tries again; everything else ends the loop (task_group::keep_running starts it again).
awaitable<void> repeat_every(repeat how, std::function<awaitable<void>()> round);

// The first multiple of `interval` after `now`; `now` for an interval of 0.
std::chrono::steady_clock::time_point next_tick(std::chrono::steady_clock::time_point now,
                                                std::chrono::milliseconds interval);

}  // namespace skirmish
