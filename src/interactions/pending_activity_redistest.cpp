#include "interactions/pending_activity.hpp"

#include "interactions/interactions.hpp"
#include "interactions/interactions_keys.hpp"
#include "interactions/pending_state.hpp"
#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

awaitable<std::vector<std::string>> nobody(std::vector<std::string> ids) { co_return ids; }

engine_settings settings_for_tests(std::int64_t pending) {
  engine_settings s;
  s.committer.restore_players = nobody;
  s.committer.restore_levels = nobody;
  s.committer.small_commit_limit = 2;
  s.committer.busy_from = 0;
  s.committer.commit.activity_pending_limit = pending;
  return s;
}

constexpr std::int64_t actions_limit = 3;

class pending_activity_fixture : public testing::redis_fixture {
 protected:
  void TearDown() override {
    if (events) events->stop();
    redis_fixture::TearDown();
  }

  awaitable<void> start(std::int64_t pending, int players) {
    auto s = settings_for_tests(pending);
    s.committer.commit.actions_limit = actions_limit;
    events.emplace(io, redis, redis, keys, time, s, numbers);
    tasks.spawn("engine", [this] { return events->run(); });
    for (int i = 0; i < players; ++i) co_await redis.command("HSET", "player:" + name(i), "hp", 1);
  }
  static std::string name(int i) { return fmt::format("p{}", i); }

  // Each moves once, in this order.
  frame moves(const std::vector<int>& players) {
    frame f;
    for (const int i : players) {
      move m;
      m.player_id = name(i);
      m.lat = 1 + step;
      m.lon = 2;
      m.ttl = 60s;
      m.ts = time.now();
      f.events.emplace_back(m);
      f.indices.push_back(f.indices.size());
    }
    ++step;
    return f;
  }
  awaitable<void> commit(std::vector<int> players) {
    auto f = moves(players);
    const auto out = co_await events->commit(std::move(f));
    EXPECT_EQ(out.accepted, players.size());
  }
  awaitable<std::int64_t> number(std::string command, std::string key, std::string field) {
    co_return (co_await redis.command(command, key, field)).as_double().value_or(-1);
  }
  awaitable<std::int64_t> left_behind() {
    const auto keys_left =
        co_await redis.command("EXISTS", "acts:pending", "acts:filing", "acts:bytes");
    co_return keys_left.as_integer().value_or(-1);
  }
  awaitable<std::int64_t> in_slice(int player) {
    const auto start = time.now().time_since_epoch() / 60s * 60;
    co_return co_await number("HGET", fmt::format("activity:{}", start), name(player));
  }
  static awaitable<void> flush(pending_activity& by) { co_await by.flush_all(); }
  // The latitudes of a player's last actions, newest first.
  awaitable<std::vector<std::string>> latitudes(int player) {
    const auto list = co_await redis.command("LRANGE", "actions:" + name(player), 0, -1);
    std::vector<std::string> out;
    const auto begin = fmt::format("[\"move\",\"{}\",", name(player));
    for (const auto& text : list.as_strings()) {
      std::vector<std::string> of_element;
      for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at + 1))
        of_element.push_back(text.substr(at + begin.size(), 1));
      out.insert(out.end(), of_element.rbegin(), of_element.rend());
    }
    co_return out;
  }

  manual_clock time;
  redis::key_space keys;
  metrics::registry numbers;
  std::optional<engine> events;
  pending_activity flusher{redis, keys, time, 60s, actions_limit};
  int step = 0;
};

TEST_F(pending_activity_fixture, a_big_commit_of_many_streams_is_load_at_once) {
  run([this]() -> awaitable<void> {
    co_await start(1 << 20, 2);
    auto s = settings_for_tests(1 << 20).committer;
    s.busy_from = 1e9;
    s.backlog_events = 3;
    s.backlog_streams = 2;
    committer alone(io, redis, keys, time, s, numbers);
    std::map<std::string, std::uint64_t> written;
    // A frame of two events of each of these streams, in one commit.
    const auto frames_of = [&](const std::vector<std::string>& streams) {
      std::vector<frame> frames;
      for (const auto& stream : streams) {
        frames.push_back(moves({0, 1}));
        frames.back().position = {stream, ++written[stream]};
        frames.back().done = [](const outcome& out) { EXPECT_EQ(out.accepted, 2U); };
      }
      return batch(std::move(frames));
    };
    auto of_one = frames_of({"one", "one"});
    co_await alone.write(std::move(of_one));
    EXPECT_EQ(co_await left_behind(), 0);
    auto of_two = frames_of({"one", "other"});
    co_await alone.write(std::move(of_two));
    EXPECT_EQ(co_await left_behind(), 2);  // the activity, and how many bytes they are
  });
}

TEST_F(pending_activity_fixture, a_small_commit_counts_at_once_and_a_big_one_when_it_is_flushed) {
  run([this]() -> awaitable<void> {
    co_await start(1 << 20, 3);
    const std::vector<int> few{0, 1};
    const std::vector<int> many{1, 0, 2};
    const std::vector<int> one{2};
    co_await commit(few);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p0"), 1);
    EXPECT_EQ(co_await in_slice(1), 1);
    co_await commit(many);
    co_await commit(one);  // behind what is pending
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p0"), 1);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p2"), -1);
    EXPECT_EQ(co_await number("HGET", "player:p0", "lat"), 2) << "its state is not put off";

    co_await flusher.flush_all();
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p0"), 2);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p2"), 2);
    EXPECT_EQ(co_await in_slice(2), 2);
    const auto newest_first = co_await latitudes(2);
    EXPECT_THAT(newest_first, ElementsAre("3", "2"));
    EXPECT_EQ(co_await left_behind(), 0);
    co_await commit(one);
    EXPECT_EQ(co_await in_slice(2), 3) << "small ones count at once again";
  });
}

TEST_F(pending_activity_fixture, what_else_stands_under_a_players_key_stops_nobody_elses_flush) {
  run([this]() -> awaitable<void> {
    co_await start(1 << 20, 60);
    std::vector<int> everybody;
    for (int i = 0; i < 60; ++i) everybody.push_back(i);
    // Flushed by one script when few are pending, in parts when many are.
    for (const int commits : {1, 20}) {
      co_await redis.command("SET", "actions:p1", "not a list");
      const auto before = co_await number("ZSCORE", "leaderboard:active", "p1");
      for (int n = 0; n < commits; ++n) co_await commit(everybody);
      co_await flusher.flush_all();
      EXPECT_EQ(co_await left_behind(), 0);
      const auto expected = std::max<std::int64_t>(before, 0) + commits;
      EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p1"), expected)
          << "only its last actions cannot be kept";
      EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p59"), expected);
      const auto others = co_await latitudes(59);
      EXPECT_FALSE(others.empty());
      const auto untouched = co_await redis.command("GET", "actions:p1");
      EXPECT_EQ(untouched.as_string(), "not a list");
    }
  });
}

TEST_F(pending_activity_fixture, who_came_to_a_score_first_is_before_the_others) {
  run([this]() -> awaitable<void> {
    co_await start(1 << 20, 4);
    const std::vector<int> first{3, 1, 2};
    const std::vector<int> second{2, 3, 0};
    const std::vector<int> third{1, 0, 0};
    co_await commit(first);
    co_await commit(second);
    co_await commit(third);
    co_await flusher.flush_all();
    // All but p0 have two, p2 and p3 since the second commit, p1 since the third.
    std::vector<std::int64_t> marks;
    for (const int i : {2, 3, 1})
      marks.push_back(co_await number("HGET", "leaderboard:active@moved", name(i)));
    EXPECT_LT(marks[0], marks[1]);
    EXPECT_LT(marks[1], marks[2]);
  });
}

TEST_F(pending_activity_fixture,
       two_flushers_count_everything_once_and_a_third_ends_what_one_began) {
  run([this]() -> awaitable<void> {
    constexpr int count = 900;
    co_await start(1 << 20, count);
    std::vector<int> all;
    for (int i = 0; i < count; ++i) all.push_back(i);
    for (int round = 0; round < 3; ++round) co_await commit(all);
    // One has taken the activity and counted some when it stops.
    pending_activity other{redis, keys, time, 60s, actions_limit};
    task_group others{io};
    others.spawn("flusher", [&] { return flush(other); });
    bool began = false;
    while (!began) began = co_await number("ZSCORE", "leaderboard:active", "p0") == 3;
    others.close();
    co_await others.wait(5s);
    EXPECT_EQ((co_await redis.command("EXISTS", "acts:filing")).as_integer(), 1);
    co_await commit(all);

    task_group both{io};
    both.spawn("flusher", [&] { return flush(flusher); });
    pending_activity third{redis, keys, time, 60s, actions_limit};
    both.spawn("flusher", [&] { return flush(third); });
    co_await both.wait(10s);
    co_await flusher.flush_all();
    co_await flusher.flush_all();
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", name(i)), 4) << i;
      EXPECT_EQ(co_await in_slice(i), 4) << i;
    }
    EXPECT_EQ(co_await left_behind(), 0);
  });
}

TEST_F(pending_activity_fixture, says_how_old_the_oldest_is) {
  run([this]() -> awaitable<void> {
    co_await start(1 << 20, 60);
    std::vector<int> everybody;
    for (int i = 0; i < 60; ++i) everybody.push_back(i);
    const auto committed = time.now();
    co_await commit(everybody);
    time.advance(1s);
    for (int n = 0; n < 20; ++n) co_await commit(everybody);
    const auto before = co_await read_pending_state(redis, keys);
    EXPECT_EQ(before.activity.oldest, committed);
    EXPECT_GT(before.activity.bytes, 0);
    EXPECT_EQ(before.age(time.now() + 2s), 3s);

    // Those that come while it is flushed are younger.
    co_await redis.command("RENAME", "acts:pending", "acts:filing");
    co_await redis.command("HSET", "acts:filed", "players", 0, "first", 0, "since",
                           committed.time_since_epoch().count());
    co_await redis.command("DEL", "acts:since");
    time.advance(5s);
    co_await commit(everybody);
    const auto meanwhile = co_await read_pending_state(redis, keys);
    EXPECT_EQ(meanwhile.activity.oldest, committed);
    EXPECT_TRUE(co_await flusher.flush_all());
    const auto later = co_await read_pending_state(redis, keys);
    EXPECT_EQ(later.activity.oldest, time.now());
    EXPECT_FALSE(co_await flusher.flush_all()) << "little is flushed at once";
    const auto after = co_await read_pending_state(redis, keys);
    EXPECT_EQ(after.bytes(), 0);
    EXPECT_EQ(after.age(time.now()), 0ms);
  });
}

TEST_F(pending_activity_fixture, with_too_much_pending_commits_count_at_once) {
  run([this]() -> awaitable<void> {
    co_await start(100, 3);
    const std::vector<int> all{0, 1, 2};
    for (int i = 0; i < 3; ++i) co_await commit(all);
    EXPECT_EQ((co_await redis.command("LLEN", "acts:pending")).as_integer(), 1);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p0"), 2);
    co_await flusher.flush_all();
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "p0"), 3);
  });
}

}  // namespace
}  // namespace skirmish::interactions
