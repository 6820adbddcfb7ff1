// The demo world: players who complete levels, attack, move, trade, unlock and chat, through the
// public API alone.
#pragma once

#include "api_client/api_client.hpp"
#include "simulation/demo_screen.hpp"
#include "skirmish/cache.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace skirmish::cli {

struct simulation_plan {
  std::int64_t players = 20;
  std::int64_t levels = 20;
  std::chrono::milliseconds duration{60'000};  // 0: until stopped
  double rate = 5;                             // actions a second
  std::chrono::milliseconds interval{5'000};   // between reports
  std::uint64_t seed = 0;                      // 0: another world each time
};

// What a cache does, as a line: "user:ada found in memory, 0.01 ms".
std::string to_line(const cache::step& step);
// Makes every load take that much longer, so that the effect of a cache shows.
std::function<cache::loader(cache::loader)> slowed_by(std::chrono::milliseconds delay);

// One line of the summary: what was done, and what the API says of it.
struct total {
  std::string what;
  std::int64_t done = 0;
  std::int64_t read_back = 0;
};

// Where the simulation's words go.
struct simulation_view {
  // What arrived on a channel, and what the simulation itself has to say (channel empty).
  std::function<void(const std::string& channel, const std::string& text)> line;
  // Leaderboard, popular levels and recent activity.
  std::function<void(const std::vector<screen_section>& report)> report;
};

// Runs until the duration ends or `stop` is set, and returns the totals. Throws failure when the
// server refuses or goes away.
awaitable<std::vector<total>> simulate(asio::io_context& io, simulation_plan plan,
                                       server_address server, std::string api_key,
                                       const simulation_view& view, const std::atomic<bool>& stop);

// The totals as a table, and whether all agree.
std::string to_table(const std::vector<total>& totals);
bool all_agree(const std::vector<total>& totals);

}  // namespace skirmish::cli
