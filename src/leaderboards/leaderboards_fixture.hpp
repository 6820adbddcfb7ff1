// Boards on a real server, as the tests read them: "rank player score".
#pragma once

#include "leaderboards/leaderboards.hpp"
#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace skirmish::leaderboards {

// What another feature's script does to a board: change scores, then say who moved.
inline const redis::script foreign_script{"test_foreign", R"(
  local marks = {}
  local last = redis.call('INCRBY', KEYS[1] .. '@seq', #ARGV / 2)
  for i = 1, #ARGV, 2 do
    redis.call('ZINCRBY', KEYS[1], ARGV[i + 1], ARGV[i])
    marks[i], marks[i + 1] = ARGV[i], last - #ARGV / 2 + (i + 1) / 2
  end
  redis.call('HSET', KEYS[1] .. '@moved', unpack(marks))
)"};

inline std::string line(const entry& e) {
  return fmt::format("{} {} {}", e.rank, e.player_id, e.score);
}

inline std::vector<std::string> lines(const std::vector<entry>& entries) {
  std::vector<std::string> out;
  for (const auto& e : entries) out.push_back(line(e));
  return out;
}

// Functions, because braced lists inside a co_await expression are miscompiled by g++ 12.
inline settings with(ordering order, rank_mode ranks = rank_mode::ordinal) {
  settings s;
  s.order = order;
  s.ranks = ranks;
  return s;
}

inline settings with_reset(std::string reset, operation op = operation::best) {
  settings s;
  s.op = op;
  s.reset = std::move(reset);
  s.seasons_kept = 2;
  return s;
}

class leaderboards_fixture : public testing::redis_fixture {
 protected:
  awaitable<std::vector<submitted>> give(std::string board, std::string player, double value,
                                         std::optional<operation> op = std::nullopt,
                                         double sub = 0) {
    std::vector<score> scores;
    scores.push_back({std::move(player), value, sub, op, {}});
    co_return co_await boards.submit(std::move(board), std::move(scores));
  }
  awaitable<std::vector<std::string>> top(std::string board, std::int64_t season = 0) {
    const auto page = co_await boards.page(std::move(board), 1, 100, season);
    co_return lines(page.entries);
  }
  awaitable<void> use(std::string board, settings chosen) {
    const auto made = co_await boards.configure(std::move(board), std::move(chosen));
    EXPECT_TRUE(made.has_value());
  }

  manual_clock time;
  redis::key_space keys;
  service boards{redis, keys, time};
};

}  // namespace skirmish::leaderboards
