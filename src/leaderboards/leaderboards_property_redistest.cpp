// Thousands of random operations against a plain sorted vector.
#include "leaderboards/leaderboards_fixture.hpp"
#include "redis/views.hpp"

#include <gmock/gmock.h>

#include <random>

namespace skirmish::leaderboards {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

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

  // Each player at most once per batch, because a commit aggregates them.
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
    const auto args = redis::views(words);
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
