// What is kept of a busy board, for whom, and how long.
#include "leaderboards/busy_pages.hpp"

#include "leaderboards/leaderboards_fixture.hpp"
#include "redis/views.hpp"
#include "support/run.hpp"

#include <boost/json/parse.hpp>

namespace skirmish::leaderboards {
namespace {

using namespace std::chrono_literals;

class busy_board : public leaderboards_fixture {
 protected:
  // So many players get points, the first one 10,000 and each a point less than the one before, and
  // are not put in their places.
  awaitable<void> move(int players) {
    const std::string key = "leaderboard:b";
    const std::string_view keys[] = {key};
    for (int first = 0; first < players; first += 1'000) {
      std::vector<std::string> args;
      for (int i = first; i < std::min(first + 1'000, players); ++i) {
        args.push_back(fmt::format("p{}", i));
        args.push_back(std::to_string(10'000 - i));
      }
      const auto views = redis::views(args);
      redis::checked(co_await redis.eval(foreign_script, keys, views));
    }
  }
  // How often players have moved, as a page of `pages` tells it.
  awaitable<std::int64_t> moves(busy_pages& pages, bool now = false, std::int64_t limit = 10) {
    const auto text = co_await pages.top("b", limit, now);
    co_return boost::json::parse(*text).at("items").at(0).at("score").as_int64() / 10'000;
  }
};

TEST_F(busy_board, is_read_once_for_all_who_ask_meanwhile) {
  run([&]() -> awaitable<void> {
    busy_pages pages(boards, tasks, {1h, 2h});
    co_await move(3'000);
    EXPECT_EQ(co_await moves(pages), 1);
    co_await move(3'000);
    EXPECT_EQ(co_await moves(pages), 1);
    EXPECT_EQ(co_await moves(pages, false, 20), 2) << "another page";
    EXPECT_EQ(co_await moves(pages, true), 2) << "it was to be read now";
    EXPECT_EQ(co_await moves(pages), 2) << "and is kept for the others";
  });
}

TEST_F(busy_board, is_read_behind_who_asks_a_little_later) {
  run([&]() -> awaitable<void> {
    busy_pages pages(boards, tasks, {0ms, 1h});
    co_await move(3'000);
    EXPECT_EQ(co_await moves(pages), 1);
    co_await move(3'000);
    EXPECT_EQ(co_await moves(pages), 1);
    const auto next = [&]() -> awaitable<bool> {
      const auto score = co_await moves(pages);
      co_return score == 2;
    };
    co_await testing::eventually_async(next);
  });
}

TEST_F(busy_board, that_is_too_old_is_read_for_who_asks) {
  run([&]() -> awaitable<void> {
    busy_pages pages(boards, tasks, {0ms, 0ms});
    for (int round = 1; round <= 3; ++round) {
      co_await move(3'000);
      EXPECT_EQ(co_await moves(pages), round);
    }
  });
}

TEST_F(busy_board, that_calms_down_is_always_read_again) {
  run([&]() -> awaitable<void> {
    busy_pages pages(boards, tasks, {1h, 2h});
    co_await move(3'000);
    EXPECT_EQ(co_await moves(pages), 1);
    co_await boards.catch_up("b");
    EXPECT_EQ(co_await moves(pages, true), 1);
    for (int round = 2; round <= 3; ++round) {
      co_await move(5);
      EXPECT_EQ(co_await moves(pages), round);
    }
  });
}

TEST_F(busy_board, keeps_few_pages_and_none_that_are_long) {
  run([&]() -> awaitable<void> {
    busy_pages pages(boards, tasks, {1h, 2h});
    co_await move(3'000);
    for (std::int64_t limit = 1; limit <= 40; ++limit) co_await moves(pages, false, limit);
    co_await moves(pages, false, 150);
    co_await move(3'000);
    EXPECT_EQ(co_await moves(pages, false, 1), 1);
    EXPECT_EQ(co_await moves(pages, false, 32), 1);
    EXPECT_EQ(co_await moves(pages, false, 33), 2);
    EXPECT_EQ(co_await moves(pages, false, 150), 2);
  });
}

}  // namespace
}  // namespace skirmish::leaderboards
