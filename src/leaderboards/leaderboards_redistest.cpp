#include "leaderboards/leaderboards.hpp"

#include "leaderboards/live_boards.hpp"
#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace skirmish::leaderboards {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What another feature's script does to a board: change scores, then say who moved.
const redis::script foreign_script{"test_foreign", R"(
  local marks = {}
  local last = redis.call('INCRBY', KEYS[1] .. '@seq', #ARGV / 2)
  for i = 1, #ARGV, 2 do
    redis.call('ZINCRBY', KEYS[1], ARGV[i + 1], ARGV[i])
    marks[i], marks[i + 1] = ARGV[i], last - #ARGV / 2 + (i + 1) / 2
  end
  redis.call('HSET', KEYS[1] .. '@moved', unpack(marks))
)"};

std::string line(const entry& e) { return fmt::format("{} {} {}", e.rank, e.player_id, e.score); }

std::vector<std::string> lines(const std::vector<entry>& entries) {
  std::vector<std::string> out;
  for (const auto& e : entries) out.push_back(line(e));
  return out;
}

// Functions, because braced lists inside a co_await expression are miscompiled by g++ 12.
settings with(ordering order, rank_mode ranks = rank_mode::ordinal) {
  settings s;
  s.order = order;
  s.ranks = ranks;
  return s;
}

settings with_reset(std::string reset, operation op = operation::best) {
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

// ---- thousands of random operations against a plain sorted vector ----

struct model_entry {
  std::string player;
  double score;
  double sub;
  std::uint64_t since;
};

struct model {
  settings chosen;
  std::vector<model_entry> entries;
  std::uint64_t steps = 0;

  model_entry* find(const std::string& player) {
    for (auto& e : entries)
      if (e.player == player) return &e;
    return nullptr;
  }
  [[nodiscard]] bool better(double score, double sub, const model_entry& than) const {
    const bool high = chosen.order == ordering::desc;
    if (score != than.score) return (score > than.score) == high;
    return sub != than.sub && (sub > than.sub) == high;
  }
  void put(const std::string& player, double score, double sub) {
    ++steps;
    auto* old = find(player);
    if (!old)
      entries.push_back({player, score, sub, steps});
    else if (old->score != score || old->sub != sub)
      *old = {player, score, sub, steps};
  }
  void apply(const leaderboards::score& s) {
    const auto op = s.op.value_or(chosen.op);
    const auto* old = find(s.player_id);
    const double score = old ? old->score : 0;
    const double sub = old ? old->sub : 0;
    if (op == operation::increment) return put(s.player_id, score + s.value, sub + s.subscore);
    if (op == operation::decrement) return put(s.player_id, score - s.value, sub - s.subscore);
    if (op == operation::set || !old || better(s.value, s.subscore, *old))
      put(s.player_id, s.value, s.subscore);
  }
  void remove(const std::string& player) {
    std::erase_if(entries, [&](const auto& e) { return e.player == player; });
  }
  [[nodiscard]] std::vector<entry> ranked() const {
    auto sorted = entries;
    std::sort(sorted.begin(), sorted.end(), [this](const auto& a, const auto& b) {
      if (a.score != b.score || a.sub != b.sub) return better(a.score, a.sub, b);
      return a.since < b.since;
    });
    std::vector<entry> out;
    std::int64_t dense = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      const auto& e = sorted[i];
      const bool tied = i > 0 && e.score == sorted[i - 1].score && e.sub == sorted[i - 1].sub;
      if (!tied) ++dense;
      auto rank = static_cast<std::int64_t>(i) + 1;
      if (chosen.ranks == rank_mode::dense) rank = dense;
      if (chosen.ranks == rank_mode::competition && tied) rank = out.back().rank;
      out.push_back({rank, e.player, e.score, e.sub, {}});
    }
    return out;
  }
};

std::vector<std::string> full_lines(const std::vector<entry>& entries) {
  std::vector<std::string> out;
  for (const auto& e : entries)
    out.push_back(fmt::format("{} {} {:.17g} {:.17g}", e.rank, e.player_id, e.score, e.subscore));
  return out;
}

class leaderboards_property : public leaderboards_fixture,
                              public ::testing::WithParamInterface<std::pair<ordering, rank_mode>> {
 protected:
  int random(int low, int high) { return std::uniform_int_distribution<int>(low, high)(dice); }
  std::string player() { return "p" + std::to_string(random(0, 60)); }

  leaderboards::score random_score() {
    const double value = random(0, 9) == 0 ? score_max - 100 - random(0, 1) : random(-2, 2);
    const std::vector<std::optional<operation>> ops{std::nullopt,         operation::best,
                                                    operation::set,       operation::set,
                                                    operation::increment, operation::decrement};
    auto op = ops[static_cast<std::size_t>(random(0, 5))];
    // Sums of huge scores would be refused, which another test looks at.
    if (std::abs(value) > 10) op = operation::set;
    return {player(), value, double(random(0, 5) == 0 ? random(-1, 1) : 0), op, {}};
  }

  awaitable<void> step() {
    const int what = random(0, 9);
    if (what == 0) {
      const auto gone = player();
      const bool there = expected.find(gone) != nullptr;
      EXPECT_EQ(co_await boards.remove("b", gone), there);
      expected.remove(gone);
    } else if (what <= 3) {
      co_await foreign_step();
    } else {
      std::vector<leaderboards::score> scores;
      for (int i = random(1, 5); i > 0; --i) scores.push_back(random_score());
      for (const auto& s : scores) expected.apply(s);
      co_await boards.submit("b", scores);
    }
  }

  // Each player at most once a batch, as a commit folds them.
  awaitable<void> foreign_step() {
    std::map<std::string, int> changes;
    for (int i = random(1, 5); i > 0; --i) changes[player()] = random(0, 1) == 0 ? 1 : -1;
    std::vector<std::string> words;
    for (const auto& [id, by] : changes) {
      expected.apply({id, double(by), 0, operation::increment, {}});
      words.push_back(id);
      words.push_back(std::to_string(by));
    }
    const std::vector<std::string_view> key_views{"leaderboard:b"};
    const std::vector<std::string_view> args(words.begin(), words.end());
    redis::checked(co_await redis.eval(foreign_script, key_views, args));
  }

  awaitable<void> compare() {
    const auto want = full_lines(expected.ranked());
    const auto limit = random(1, 20);
    std::vector<std::string> forward;
    auto page = co_await boards.page("b", 1, limit);
    EXPECT_EQ(page.previous, "");
    while (true) {
      const auto part = full_lines(page.entries);
      forward.insert(forward.end(), part.begin(), part.end());
      if (page.next.empty()) break;
      page = co_await boards.page_at("b", *parse_cursor(page.next), limit);
    }
    EXPECT_EQ(forward, want);
    auto backward = full_lines(page.entries);
    while (!page.previous.empty()) {
      page = co_await boards.page_at("b", *parse_cursor(page.previous), limit);
      const auto part = full_lines(page.entries);
      backward.insert(backward.begin(), part.begin(), part.end());
    }
    EXPECT_EQ(backward, want);
    co_await compare_player(want);
  }

  awaitable<void> compare_player(std::vector<std::string> want) {
    const auto id = player();
    const auto at = std::find_if(want.begin(), want.end(), [&](const std::string& l) {
      return l.find(' ' + id + ' ') != std::string::npos;
    });
    const std::vector<std::string> ids{id};
    const auto rank = co_await boards.ranks("b", ids);
    const auto around = co_await boards.around("b", id, 3);
    if (at == want.end()) {
      EXPECT_TRUE(rank.empty() && around.has_error());
      co_return;
    }
    EXPECT_THAT(full_lines(rank), ElementsAre(*at));
    const auto first = at - std::min<std::ptrdiff_t>(3, at - want.begin());
    const auto last = at + std::min<std::ptrdiff_t>(4, want.end() - at);
    EXPECT_EQ(full_lines(around.value()), std::vector<std::string>(first, last));
  }

  std::mt19937 dice{4};
  model expected;
};

TEST_P(leaderboards_property, agrees_with_a_sorted_vector) {
  expected.chosen.order = GetParam().first;
  expected.chosen.ranks = GetParam().second;
  run(
      [&]() -> awaitable<void> {
        co_await use("b", expected.chosen);
        for (int i = 0; i < 1'000; ++i) {
          co_await step();
          if (i % 5 == 0) co_await compare();
          if (HasFailure()) {
            ADD_FAILURE() << "after step " << i;
            co_return;
          }
        }
        // The visible set and the derived ones are of one mind, and nothing is left over.
        const auto size = static_cast<std::int64_t>(expected.entries.size());
        co_await boards.catch_up("b");
        for (const auto* suffix : {"", "@order"}) {
          const auto n = co_await redis.command("ZCARD", std::string("leaderboard:b") + suffix);
          EXPECT_EQ(n.as_integer(), size);
        }
        const auto entries = co_await redis.command("HLEN", "leaderboard:b@entries");
        EXPECT_EQ(entries.as_integer(), size);
        EXPECT_EQ((co_await redis.command("EXISTS", "leaderboard:b@moved")).as_integer(), 0);
      },
      10min);
}

INSTANTIATE_TEST_SUITE_P(orders_and_modes, leaderboards_property,
                         ::testing::Values(std::pair(ordering::desc, rank_mode::ordinal),
                                           std::pair(ordering::desc, rank_mode::competition),
                                           std::pair(ordering::desc, rank_mode::dense),
                                           std::pair(ordering::asc, rank_mode::ordinal),
                                           std::pair(ordering::asc, rank_mode::competition),
                                           std::pair(ordering::asc, rank_mode::dense)));

}  // namespace
}  // namespace skirmish::leaderboards
