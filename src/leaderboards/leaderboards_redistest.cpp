#include "leaderboards/leaderboards_fixture.hpp"
#include "leaderboards/live_boards.hpp"

#include <gmock/gmock.h>

namespace skirmish::leaderboards {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(leaderboards_fixture, the_visible_board_is_a_plain_sorted_set) {
  run([&]() -> awaitable<void> {
    co_await give("global", "ann", 5, operation::increment);
    co_await give("global", "bob", 7, operation::increment);
    co_await give("global", "ann", 4, operation::increment);
    const auto seen = co_await redis.command("ZREVRANGE", "leaderboard:global", 0, -1);
    EXPECT_THAT(seen.as_strings(), ElementsAre("ann", "bob"));
    const auto score = co_await redis.command("ZSCORE", "leaderboard:global", "ann");
    EXPECT_EQ(score.as_double(), 9);
    EXPECT_THAT(co_await top("global"), ElementsAre("1 ann 9", "2 bob 7"));
    EXPECT_THAT(co_await top("unknown"), IsEmpty());
  });
}

TEST_F(leaderboards_fixture, the_first_to_reach_a_score_ranks_first) {
  run([&]() -> awaitable<void> {
    co_await give("b", "zoe", 5);
    co_await give("b", "ann", 5);
    co_await give("b", "bob", 9);
    EXPECT_THAT(co_await top("b"), ElementsAre("1 bob 9", "2 zoe 5", "3 ann 5"));
    // Leaving a score and coming back to it is reaching it again.
    co_await give("b", "zoe", 6, operation::set);
    co_await give("b", "zoe", 5, operation::set);
    EXPECT_THAT(co_await top("b"), ElementsAre("1 bob 9", "2 ann 5", "3 zoe 5"));
    // Sending the same again is not.
    co_await give("b", "ann", 5, operation::set);
    EXPECT_THAT(co_await top("b"), ElementsAre("1 bob 9", "2 ann 5", "3 zoe 5"));
  });
}

TEST_F(leaderboards_fixture, operators) {
  run([&]() -> awaitable<void> {
    co_await use("laps", with(ordering::asc));
    co_await give("laps", "ann", 70);
    auto r = co_await give("laps", "ann", 80);
    EXPECT_FALSE(r.at(0).changed);
    EXPECT_EQ(r.at(0).value, 70);
    r = co_await give("laps", "ann", 60);
    EXPECT_TRUE(r.at(0).changed);
    co_await give("laps", "bob", 65);
    EXPECT_THAT(co_await top("laps"), ElementsAre("1 ann 60", "2 bob 65"));
    r = co_await give("laps", "ann", 10, operation::increment);
    EXPECT_EQ(r.at(0).value, 70);
    r = co_await give("laps", "ann", 100, operation::decrement);
    EXPECT_EQ(r.at(0).value, -30);
    r = co_await give("laps", "ann", 1.5, operation::set);
    EXPECT_EQ(r.at(0).value, 1.5);
    EXPECT_THAT(co_await top("laps"), ElementsAre("1 ann 1.5", "2 bob 65"));
  });
}

TEST_F(leaderboards_fixture, is_exact_up_to_two_to_the_53rd_and_refuses_more) {
  constexpr double most = score_max;
  run([&]() -> awaitable<void> {
    co_await give("b", "a", most - 1);
    co_await give("b", "b", most);
    co_await give("b", "c", most - 2);
    co_await give("b", "d", -most);
    co_await give("b", "e", -most + 1);
    const auto page = co_await boards.page("b", 1, 10);
    std::vector<double> scores;
    for (const auto& e : page.entries) scores.push_back(e.score);
    EXPECT_THAT(scores, ElementsAre(most, most - 1, most - 2, -most + 1, -most));
    const auto r = co_await give("b", "b", 1, operation::increment);
    EXPECT_TRUE(r.at(0).out_of_range);
    EXPECT_EQ(r.at(0).value, most);
    const auto one = co_await give("b", "a", 1, operation::increment);
    EXPECT_EQ(one.at(0).value, most);
    EXPECT_EQ((co_await boards.page("b", 1, 1)).entries.at(0).player_id, "b");
  });
}

TEST_F(leaderboards_fixture, subscores_decide_between_equal_scores) {
  run([&]() -> awaitable<void> {
    co_await give("b", "ann", 5, std::nullopt, 1);
    co_await give("b", "bob", 5, std::nullopt, 9);
    co_await give("b", "cat", 4, std::nullopt, 99);
    EXPECT_THAT(co_await top("b"), ElementsAre("1 bob 5", "2 ann 5", "3 cat 4"));
    const auto worse = co_await give("b", "bob", 5, std::nullopt, 8);
    EXPECT_FALSE(worse.at(0).changed);
    const auto better = co_await give("b", "ann", 5, std::nullopt, 10);
    EXPECT_TRUE(better.at(0).changed);
    const auto page = co_await boards.page("b", 1, 1);
    EXPECT_EQ(page.entries.at(0).player_id, "ann");
    EXPECT_EQ(page.entries.at(0).subscore, 10);
    co_await give("b", "ann", 5, operation::set, 0);
    const auto left = co_await redis.command("HEXISTS", "leaderboard:b@subscores", "ann");
    EXPECT_EQ(left.as_integer(), 0);
  });
}

TEST_F(leaderboards_fixture, metadata_belongs_to_the_entry) {
  run([&]() -> awaitable<void> {
    std::vector<score> scores;
    scores.push_back({"ann", 5, 0, {}, R"({"car":"red"})"});
    scores.push_back({"bob", 4, 0, {}, {}});
    scores.push_back({"ann", 3, 0, {}, R"({"car":"blue"})"});
    co_await boards.submit("b", scores);
    const auto page = co_await boards.page("b", 1, 10);
    EXPECT_EQ(page.entries.at(0).metadata, R"({"car":"red"})") << "a worse score changes nothing";
    EXPECT_EQ(page.entries.at(1).metadata, "");
    const std::vector<std::string> ids{"ann"};
    const auto ranks = co_await boards.ranks("b", ids);
    EXPECT_EQ(ranks.at(0).metadata, R"({"car":"red"})");
    EXPECT_TRUE(co_await boards.remove("b", "ann"));
    EXPECT_FALSE(co_await boards.remove("b", "ann"));
    EXPECT_THAT(co_await top("b"), ElementsAre("1 bob 4"));
    EXPECT_EQ((co_await redis.command("EXISTS", "leaderboard:b@metadata")).as_integer(), 0);
  });
}

TEST_F(leaderboards_fixture, rank_modes) {
  run([&]() -> awaitable<void> {
    const std::vector<std::pair<rank_mode, std::vector<std::string>>> expected{
        {rank_mode::ordinal, {"1 a 9", "2 b 9", "3 c 7", "4 d 7", "5 e 1"}},
        {rank_mode::competition, {"1 a 9", "1 b 9", "3 c 7", "3 d 7", "5 e 1"}},
        {rank_mode::dense, {"1 a 9", "1 b 9", "2 c 7", "2 d 7", "3 e 1"}}};
    for (const auto& [mode, want] : expected) {
      const auto board = "mode" + std::to_string(static_cast<int>(mode));
      co_await use(board, with(ordering::desc, mode));
      for (const auto* p : {"a", "b"}) co_await give(board, p, 9);
      for (const auto* p : {"c", "d"}) co_await give(board, p, 7);
      co_await give(board, "e", 1);
      EXPECT_EQ(co_await top(board), want);
      const std::vector<std::string> ids{"d", "nobody", "b"};
      const auto ranks = co_await boards.ranks(board, ids);
      EXPECT_THAT(lines(ranks), ElementsAre(want[3], want[1]));
      const auto around = co_await boards.around(board, "d", 1);
      EXPECT_THAT(lines(around.value()), ElementsAre(want[2], want[3], want[4]));
    }
    EXPECT_TRUE((co_await boards.around("mode0", "nobody", 1)).has_error());
  });
}

TEST_F(leaderboards_fixture, a_submission_with_an_id_applies_once) {
  run([&]() -> awaitable<void> {
    std::vector<score> scores;
    for (int i = 0; i < 120; ++i)
      scores.push_back({"p" + std::to_string(i % 70), 1, 0, operation::increment, {}});
    const auto first = co_await boards.submit("b", scores, "s1");
    const auto again = co_await boards.submit("b", scores, "s1");
    EXPECT_EQ(first.at(119).value, 2);
    EXPECT_EQ(again.at(119).value, 2);
    EXPECT_TRUE(first.at(0).changed);
    EXPECT_FALSE(again.at(0).changed);
    const auto score = co_await redis.command("ZSCORE", "leaderboard:b", "p0");
    EXPECT_EQ(score.as_double(), 2);
  });
}

TEST_F(leaderboards_fixture, ten_thousand_scores_in_one_call) {
  run([&]() -> awaitable<void> {
    std::vector<score> scores;
    for (int i = 0; i < 10'000; ++i)
      scores.push_back({"p" + std::to_string(i), double(i % 100), 0, {}, {}});
    const auto done = co_await boards.submit("b", std::move(scores));
    EXPECT_EQ(done.size(), 10'000U);
    const auto page = co_await boards.page("b", 1, 2);
    EXPECT_TRUE(page.settled);
    EXPECT_EQ(page.total, 10'000);
    EXPECT_THAT(lines(page.entries), ElementsAre("1 p99 99", "2 p199 99"));
    const std::vector<std::string> ids{"p9900"};
    const auto last = co_await boards.ranks("b", ids);
    EXPECT_THAT(lines(last), ElementsAre("10000 p9900 0"));
  });
}

TEST_F(leaderboards_fixture, seasons_end_by_schedule_and_stay_readable) {
  run([&]() -> awaitable<void> {
    co_await use("weekly", with_reset("@daily", operation::increment));
    co_await give("weekly", "ann", 5);
    co_await give("weekly", "bob", 5);
    auto info = co_await boards.info("weekly");
    EXPECT_EQ(info.season, 1);
    EXPECT_TRUE(info.next_reset && *info.next_reset > time.now());
    time.advance(24h);
    // A score that comes after the end counts for the next season, whether anybody closed or not.
    co_await give("weekly", "bob", 1);
    EXPECT_THAT(co_await top("weekly"), ElementsAre("1 bob 1"));
    EXPECT_THAT(co_await top("weekly", 1), ElementsAre("1 ann 5", "2 bob 5"));
    info = co_await boards.info("weekly");
    EXPECT_EQ(info.season, 2);
    time.advance(24h);
    EXPECT_EQ(co_await boards.close_due_seasons(), 1U);
    EXPECT_EQ(co_await boards.close_due_seasons(), 0U);
    EXPECT_THAT(co_await top("weekly"), IsEmpty());
    EXPECT_THAT(co_await top("weekly", 2), ElementsAre("1 bob 1"));
    const auto closed = co_await boards.closed_seasons("weekly");
    EXPECT_EQ(closed.size(), 2U);
    EXPECT_EQ(closed.at(0).season, 2);
    EXPECT_EQ(closed.at(1).closed, closed.at(0).started);
    // The oldest goes when there are more than are kept.
    EXPECT_EQ(co_await boards.close_season("weekly"), 4);
    EXPECT_EQ((co_await boards.closed_seasons("weekly")).size(), 2U);
    EXPECT_THAT(co_await top("weekly", 1), IsEmpty());
  });
}

TEST_F(leaderboards_fixture, a_board_with_scores_keeps_its_order) {
  run([&]() -> awaitable<void> {
    co_await use("b", settings());
    co_await give("b", "ann", 5);
    auto made = co_await boards.configure("b", with(ordering::asc));
    EXPECT_TRUE(made.has_error() && made.error().code == errc::conflict);
    made = co_await boards.configure("b", with(ordering::desc, rank_mode::dense));
    EXPECT_TRUE(made.has_error());
    made = co_await boards.configure("b", with(ordering::desc, rank_mode::competition));
    EXPECT_TRUE(made.has_value());
    made = co_await boards.configure("b", with_reset("nonsense"));
    EXPECT_TRUE(made.has_error() && made.error().code == errc::invalid_argument);
    co_await boards.close_season("b");
    made = co_await boards.configure("b", with(ordering::asc));
    EXPECT_TRUE(made.has_value());
    EXPECT_THAT(co_await top("b", 1), ElementsAre("1 ann 5"));
    EXPECT_TRUE(co_await boards.delete_board("b"));
    EXPECT_FALSE(co_await boards.delete_board("b"));
    EXPECT_EQ((co_await redis.command("DBSIZE")).as_integer(), 0);
  });
}

TEST_F(leaderboards_fixture, writes_behind_its_back_are_mended) {
  run([&]() -> awaitable<void> {
    const auto shows = [&](std::string all) -> awaitable<void> {
      const std::function<awaitable<bool>()> is_so = [&]() -> awaitable<bool> {
        const auto seen = co_await top("b");
        co_return fmt::format("{}", fmt::join(seen, ", ")) == all;
      };
      co_await testing::eventually_async(is_so);
    };
    co_await redis.command("ZADD", "leaderboard:b", 5, "ann", 7, "bob");
    co_await shows("1 bob 7, 2 ann 5");
    co_await redis.command("ZADD", "leaderboard:b", 9, "ann");
    co_await shows("1 ann 9, 2 bob 7");
    co_await redis.command("ZREM", "leaderboard:b", "bob");
    co_await redis.command("ZADD", "leaderboard:b", 12, "cat");
    co_await shows("1 cat 12, 2 ann 9");
    // Who asks for itself is looked at every time.
    co_await redis.command("ZINCRBY", "leaderboard:b", 5, "ann");
    const std::vector<std::string> ids{"ann"};
    EXPECT_THAT(lines(co_await boards.ranks("b", ids)), ElementsAre("1 ann 14"));
    co_await redis.command("ZINCRBY", "leaderboard:b", 5, "cat");
    EXPECT_THAT(lines((co_await boards.around("b", "cat", 0)).value()), ElementsAre("1 cat 17"));
    co_await redis.command("ZADD", "leaderboard:b", 1, "cat");
    co_await boards.reindex("b");
    EXPECT_THAT(co_await top("b"), ElementsAre("1 ann 14", "2 cat 1"));
  });
}

TEST_F(leaderboards_fixture, live_tops_are_told_once_per_change) {
  task_group live_tasks(io);
  live_boards live(io, boards, 2, 10ms);
  live_tasks.spawn("live", [&] { return live.run(); });
  run([&]() -> awaitable<void> {
    std::vector<std::shared_ptr<const board_top>> told;
    std::vector<std::shared_ptr<const board_top>> told_late;
    auto interest = live.watch("b", [&](const auto& top) { told.push_back(top); });
    co_await testing::eventually([&] { return told.size() == 1; });
    EXPECT_THAT(told.back()->entries, IsEmpty());
    std::vector<score> scores;
    for (const auto* p : {"ann", "bob", "cat"}) scores.push_back({p, 5, 0, {}, {}});
    co_await boards.submit("b", scores);
    co_await testing::eventually([&] { return told.size() == 2; });
    EXPECT_THAT(lines(told.back()->entries), ElementsAre("1 ann 5", "2 bob 5"));
    EXPECT_EQ(told.back()->version, 3);
    // A change below the top is no news; a late watcher gets the top as it is.
    co_await give("b", "dan", 1);
    auto late = live.watch("b", [&](const auto& top) { told_late.push_back(top); });
    co_await testing::eventually([&] { return told_late.size() == 1; });
    EXPECT_EQ(told.size(), 2U);
    EXPECT_EQ(told_late.back(), told.back());
    interest.end();
    co_await give("b", "dan", 9);
    co_await testing::eventually([&] { return told_late.size() == 2; });
    EXPECT_THAT(lines(told_late.back()->entries), ElementsAre("1 dan 9", "2 ann 5"));
    EXPECT_EQ(told.size(), 2U);
    live_tasks.close();
    const bool ended = co_await live_tasks.wait(5s);
    EXPECT_TRUE(ended);
  });
}

}  // namespace
}  // namespace skirmish::leaderboards
