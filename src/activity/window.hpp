// The sliding window behind `leaderboard:active`: how many interactions each player had in the last
// 24 hours.
//
// Commits add to the board and to the open slice of time (open_slice.lua). When a slice has ended
// it is closed (nothing is added to it any more) and sealed: its hash becomes a packed string. When
// its end is 24 hours old it is swept: its counts are subtracted from the board, a block of 50
// players an atomic step, and it goes. Slices live until then, so a pause of all servers, however
// long, loses no count: whoever comes first afterwards catches up.
//
// Any number of servers may do this at once; a lease only saves them the work. Each step checks
// what it is based on, so it is done once, also after a crash. docs/activity-window.md has the
// story.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "redis/lease.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace skirmish::activity {

struct window_settings {
  std::chrono::seconds slice{60};       // what the window's edge is exact to
  std::chrono::seconds length{86'400};  // of the window
  // For benchmarks: called when a subtracting step is sent, and when it has been answered.
  std::function<void(bool is_answered)> on_step = [](bool) {};
};

class window {
 public:
  window(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
         const clock& time, window_settings settings, metrics::registry& metrics);

  // Leads by a lease and does what is due, until cancelled. For one thread of each server.
  awaitable<void> run();

  // Does one piece of what is due, whoever leads: sweeps a slice, or closes and seals one. False
  // when nothing was left to do, or somebody else was faster.
  awaitable<bool> step();

  // A player is deleted: it is taken off the board. A later player of the same id counts from 0.
  // What the player did must not be pending any more (interactions::feature::flush_activity()).
  awaitable<void> forget_player(std::string player_id);

 private:
  awaitable<bool> sweep(std::string slice);
  awaitable<bool> sweep_block(const std::string& slice, std::size_t offset, std::string_view text,
                              std::size_t total, std::size_t& bytes);
  awaitable<bool> subtract(const std::string& slice, const std::string& from, const std::string& to,
                           const std::vector<std::string>& counts);
  awaitable<void> close(std::int64_t now_s);
  awaitable<bool> seal(std::string slice);

  asio::io_context& io_;
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  window_settings settings_;
  std::chrono::milliseconds interval_;  // between looks
  redis::lease lease_;
  metrics::counter& sealed_;
  metrics::counter& swept_;
  metrics::counter& subtracted_;
  metrics::gauge& lag_s_;
  metrics::histogram& step_duration_;
};

}  // namespace skirmish::activity
