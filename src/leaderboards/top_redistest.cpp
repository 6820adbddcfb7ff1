// The top of a board on which many have moved and are not in place yet: it must be what it will be
// when they are.
#include "leaderboards/leaderboards.hpp"
#include "redis/views.hpp"
#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace skirmish::leaderboards {
namespace {

// What another feature's script does to a board, in bulk. KEYS: the board; ARGV: player, score…
const redis::script hot_script{"test_hot", R"(
  local last = redis.call('INCRBY', KEYS[1] .. '@seq', #ARGV / 2) - #ARGV / 2
  local marks = {}
  for i = 1, #ARGV, 2 do
    if ARGV[i + 1] == 'gone' then redis.call('ZREM', KEYS[1], ARGV[i])
    else redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i]) end
    marks[i], marks[i + 1] = ARGV[i], last + (i + 1) / 2
  end
  redis.call('HSET', KEYS[1] .. '@moved', unpack(marks))
)"};

struct board_kind {
  ordering order;
  rank_mode ranks;
};

class hot_board : public testing::redis_fixture, public ::testing::WithParamInterface<board_kind> {
 protected:
  // Scores are few, so that many are tied, and the best are those who move most.
  awaitable<void> move(int players) {
    std::vector<std::string> args;
    for (int i = 0; i < players; ++i) {
      const auto who = std::min(dice() % 2'000, dice() % 2'000);
      args.push_back(fmt::format("p{}", who));
      args.push_back(dice() % 50 == 0 ? "gone" : std::to_string(dice() % spread));
    }
    const std::string key = "leaderboard:hot";
    const std::string_view keys[] = {key};
    const auto views = redis::views(args);
    redis::checked(co_await redis.eval(hot_script, keys, views));
  }

  awaitable<std::vector<std::string>> pages(bool* settled) {
    constexpr std::pair<int, int> asked[] = {{1, 100}, {1, 1}, {1, 10}, {5, 20}, {101, 100}};
    std::vector<std::string> out;
    for (const auto& [first, limit] : asked) {
      const auto page = co_await boards.page("hot", first, limit);
      if (settled) *settled = *settled && page.settled;
      for (const auto& e : page.entries)
        out.push_back(fmt::format("{} {} {} {}", e.rank, e.player_id, e.score, e.subscore));
      out.emplace_back("--");
    }
    co_return out;
  }

  std::mt19937_64 dice{6};
  std::uint64_t spread = 500;
  manual_clock time;
  redis::key_space keys;
  service boards{redis, keys, time};
};

TEST_P(hot_board, its_top_is_exact_before_everybody_is_in_place) {
  run([&]() -> awaitable<void> {
    settings chosen;
    chosen.order = GetParam().order;
    chosen.ranks = GetParam().ranks;
    const auto made = co_await boards.configure("hot", chosen);
    EXPECT_TRUE(made.has_value());
    std::vector<score> some;
    for (int i = 0; i < 1'500; ++i)
      some.push_back({fmt::format("p{}", i), double(i % 400), double(i % 3), {}, {}});
    co_await boards.submit("hot", std::move(some));
    for (int round = 0; round < 15; ++round) {
      spread = round % 3 == 0 ? 100'000 : 500;
      co_await move(1'500);
      bool settled = true;
      const auto early = co_await pages(&settled);
      EXPECT_TRUE(settled);
      const auto left = co_await redis.command("HLEN", "leaderboard:hot@moved");
      EXPECT_GT(left.as_integer().value_or(0), 100);
      co_await boards.catch_up("hot");
      const auto late = co_await pages(nullptr);
      EXPECT_EQ(early, late) << round;
    }
  });
}

TEST_P(hot_board, a_crowd_tied_at_the_end_is_still_right_when_all_are_in_place) {
  run([&]() -> awaitable<void> {
    spread = 2;
    co_await move(1'500);
    co_await boards.page("hot", 1, 100);
    co_await boards.catch_up("hot");
    const auto late = co_await boards.page("hot", 1, 100);
    EXPECT_TRUE(late.settled);
    EXPECT_EQ(late.entries.size(), 100U);
    EXPECT_EQ(late.entries.front().score, 1);
  });
}

INSTANTIATE_TEST_SUITE_P(each, hot_board,
                         ::testing::Values(board_kind{ordering::desc, rank_mode::ordinal},
                                           board_kind{ordering::desc, rank_mode::competition},
                                           board_kind{ordering::desc, rank_mode::dense},
                                           board_kind{ordering::asc, rank_mode::ordinal},
                                           board_kind{ordering::asc, rank_mode::competition}));

}  // namespace
}  // namespace skirmish::leaderboards
