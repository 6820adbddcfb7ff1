#include "activity/window_fixture.hpp"

#include <gmock/gmock.h>

namespace skirmish::activity {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(window_fixture, is_exact_to_the_slice_whenever_it_is_swept) {
  run([&]() -> awaitable<void> {
    window w(io, redis, keys, time, settings(), metrics);
    std::mt19937_64 dice(11);
    for (int round = 0; round < 150; ++round) {
      counts some;
      for (auto left = dice() % 30; left > 0; --left)
        some[player(dice() % 40)] += static_cast<std::int64_t>(1 + dice() % 5);
      if (!some.empty()) co_await credit(some);
      // Mostly seconds; now and then a while without anything and without a sweeper.
      time.advance(dice() % 20 == 0 ? seconds(dice() % 4'000) : seconds(dice() % 90));
      if (dice() % 4 == 0) continue;
      co_await catch_up(w);
      const auto seen = co_await shown();
      EXPECT_EQ(seen, expected()) << round;
    }
    time.advance(length + slice);
    co_await catch_up(w);
    EXPECT_THAT(co_await shown(), IsEmpty());
    EXPECT_THAT(co_await slice_keys(), IsEmpty());
  });
}

TEST_F(window_fixture, an_event_counts_until_its_slice_is_as_old_as_the_window) {
  run([&]() -> awaitable<void> {
    window w(io, redis, keys, time, settings(), metrics);
    const auto into = time.now().time_since_epoch() % 60s;
    co_await credit(of("ann", 3));
    time.advance(length + 60s - into - 1ms);
    co_await catch_up(w);
    EXPECT_EQ((co_await shown())["ann"], 3);
    time.advance(1ms);
    co_await catch_up(w);
    EXPECT_THAT(co_await shown(), IsEmpty());
  });
}

TEST_F(window_fixture, a_player_who_is_deleted_leaves_nothing_for_a_later_one_of_its_id) {
  run([&]() -> awaitable<void> {
    window w(io, redis, keys, time, settings(), metrics);
    co_await credit(of("ann", 3, "bob", 1));
    time.advance(2 * slice);
    co_await credit(of("ann", 4));
    co_await catch_up(w);
    co_await w.forget_player("ann");
    co_await w.forget_player("ann");  // a removal that is repeated
    co_await w.forget_player("nobody");
    EXPECT_EQ(co_await shown(), of("bob", 1));
    // The later one plays in the same slice in which the first has played last.
    co_await credit(of("ann", 2));
    time.advance(slice);
    co_await credit(of("ann", 5));
    EXPECT_EQ((co_await shown())["ann"], 7);
    // Slice after slice is swept: none takes from the later one what was the first one's.
    time.advance(length - slice);
    co_await catch_up(w);
    EXPECT_EQ((co_await shown())["ann"], 7);
    time.advance(slice);
    co_await catch_up(w);
    EXPECT_EQ(co_await shown(), of("ann", 5));
    time.advance(slice);
    co_await catch_up(w);
    EXPECT_THAT(co_await shown(), IsEmpty());
    EXPECT_THAT(co_await slice_keys(), IsEmpty()) << "nothing is remembered any longer";
  });
}

TEST_F(window_fixture, ended_slices_are_sealed_and_have_no_ttl) {
  run([&]() -> awaitable<void> {
    window w(io, redis, keys, time, settings(), metrics);
    counts many;
    for (int i = 0; i < 1'500; ++i) many[player(static_cast<std::uint64_t>(i))] = i + 1;
    co_await credit(many);
    const auto found = co_await slice_keys();
    EXPECT_EQ(found.size(), 2U);  // the slice and activity:open
    const std::string slice_name = *found.begin();
    EXPECT_FALSE(co_await w.step());
    EXPECT_EQ((co_await redis.command("TYPE", slice_name)).as_string(), "hash");
    time.advance(slice);
    EXPECT_TRUE(co_await w.step());
    EXPECT_EQ((co_await redis.command("TYPE", slice_name)).as_string(), "string");
    EXPECT_EQ((co_await redis.command("PTTL", slice_name)).as_integer(), -1);
    EXPECT_LT((co_await redis.command("STRLEN", slice_name)).as_integer().value_or(0), 1'500 * 6);
    EXPECT_EQ(co_await shown(), many);
  });
}

TEST_F(window_fixture, late_events_count_in_the_open_slice) {
  run([&]() -> awaitable<void> {
    window w(io, redis, keys, time, settings(), metrics);
    manual_clock behind;  // a server that is 200 s late
    behind.advance(-200s);
    co_await credit(of("ann", 1));
    time.advance(240s);
    behind.advance(240s);
    co_await credit(of("bob", 1));
    time.advance(60s);
    behind.advance(60s);
    co_await catch_up(w);
    const auto closed = redis::checked(co_await redis.command("GET", "activity:closed"));
    co_await credit(of("ann", 10), &behind);
    const auto open = redis::checked(co_await redis.command("ZRANGE", "activity:open", 0, -1));
    EXPECT_THAT(open.as_strings(), ElementsAre(closed.as_string()));
    co_await catch_up(w);
    EXPECT_EQ(co_await shown(), of("ann", 11, "bob", 1));
    // The first goes with its slice, the late one with the slice that took it, which is the one
    // that follows bob's.
    time.advance(length - 260s);
    co_await catch_up(w);
    EXPECT_EQ(co_await shown(), of("ann", 10, "bob", 1));
    time.advance(240s);
    co_await catch_up(w);
    EXPECT_EQ(co_await shown(), of("ann", 10));
    time.advance(slice);
    co_await catch_up(w);
    EXPECT_THAT(co_await shown(), IsEmpty());
  });
}

TEST_F(window_fixture, a_crash_in_the_middle_of_a_sweep_repeats_and_loses_nothing) {
  run([&]() -> awaitable<void> {
    counts many;
    for (std::uint64_t i = 0; i < 2'000; ++i) many[player(i)] = 5;
    co_await credit(many);
    co_await credit(many);
    time.advance(2 * slice);
    counts few;
    for (std::uint64_t i = 0; i < 1'000; ++i) few[player(2 * i)] = 1;
    co_await credit(few);
    int crashes = 0;
    time.advance(length - slice);
    for (bool more = true; more;) {
      task_group server(io);
      window w(io, redis, keys, time, settings(), metrics);
      bool ended = false;
      server.spawn("sweeper", [&]() -> awaitable<void> {
        co_await catch_up(w);
        ended = true;
      });
      // Dies when it has made some progress in a slice.
      std::string before;
      for (bool moved = false; !moved && !ended;) {
        const auto swept = redis::checked(co_await redis.command("HVALS", "activity:swept"));
        const auto at = swept.to_text();
        moved = !before.empty() && at != before;
        before = at;
      }
      if (!ended) ++crashes;
      server.close();
      EXPECT_TRUE(co_await server.wait(10s));
      more = !ended;
    }
    EXPECT_GE(crashes, 3);
    EXPECT_EQ(co_await shown(), few);
    EXPECT_EQ(expected(), few);
  });
}

TEST_F(window_fixture, two_sweepers_with_different_clocks_subtract_once) {
  run([&]() -> awaitable<void> {
    manual_clock ahead;
    ahead.advance(90s);
    window w1(io, redis, keys, time, settings(), metrics);
    metrics::registry metrics2;
    window w2(io, redis, keys, ahead, settings(), metrics2);
    std::mt19937_64 dice(5);
    for (int round = 0; round < 60; ++round) {
      counts some;
      for (int i = 0; i < 150; ++i) some[player(dice() % 300)] = 2;
      auto* whose = round % 2 == 0 ? &time : &ahead;
      co_await credit(some, whose);
      time.advance(150s);
      ahead.advance(150s);
      task_group both(io);
      int ended = 0;
      both.spawn("first", [&]() -> awaitable<void> {
        co_await catch_up(w1);
        ++ended;
      });
      both.spawn("second", [&]() -> awaitable<void> {
        co_await catch_up(w2);
        ++ended;
      });
      EXPECT_TRUE(co_await both.wait(20s));
      EXPECT_EQ(ended, 2);
      // Between what either clock says.
      const auto seen = co_await shown();
      for (const auto& [who, count] : seen) {
        std::int64_t most = 0;
        std::int64_t least = 0;
        for (const auto& h : happened) {
          if (h.player != who) continue;
          const auto age = time.now() - h.at;
          if (age < length - 90s - slice) least += h.count;
          if (age < length + 90s + slice) most += h.count;
        }
        EXPECT_LE(count, most) << round;
        EXPECT_GE(count, least) << round;
      }
    }
    time.advance(length + 300s);
    co_await catch_up(w1);
    EXPECT_THAT(co_await shown(), IsEmpty());
    EXPECT_THAT(co_await slice_keys(), IsEmpty());
  });
}

TEST_F(window_fixture, catches_up_after_days_without_a_sweeper) {
  run([&]() -> awaitable<void> {
    for (int i = 0; i < 200; ++i) {
      co_await credit(of(player(static_cast<std::uint64_t>(i % 7)), 1, "ann", 2));
      time.advance(40s);
    }
    EXPECT_EQ((co_await shown())["ann"], 400);
    window w(io, redis, keys, time, settings(), metrics);
    co_await catch_up(w);
    EXPECT_EQ(co_await shown(), expected());
    time.advance(72h);
    co_await credit(of("bob", 1));
    co_await catch_up(w);
    EXPECT_EQ(co_await shown(), of("bob", 1));
  });
}

TEST_F(window_fixture, slices_of_another_length_after_a_restart_lose_nothing) {
  run([&]() -> awaitable<void> {
    std::mt19937_64 dice(2);
    seconds longest{0};
    for (const auto next : {60s, 300s, 7s, 1'800s, 1s, 60s}) {
      slice = next;
      longest = std::max(longest, slice);
      window w(io, redis, keys, time, settings(), metrics);
      for (int i = 0; i < 30; ++i) {
        co_await credit(of(player(dice() % 5), 1));
        time.advance(seconds(dice() % 100));
        co_await catch_up(w);
        std::int64_t least = 0;
        std::int64_t most = 0;
        for (const auto& h : happened) {
          const auto age = time.now() - h.at;
          if (age < length) least += h.count;
          if (age < length + longest) most += h.count;
        }
        std::int64_t sum = 0;
        for (const auto& [who, count] : co_await shown()) sum += count;
        EXPECT_GE(sum, least);
        EXPECT_LE(sum, most);
      }
    }
    time.advance(length + longest);
    window w(io, redis, keys, time, settings(), metrics);
    co_await catch_up(w);
    EXPECT_THAT(co_await shown(), IsEmpty());
    EXPECT_THAT(co_await slice_keys(), IsEmpty());
  });
}

TEST_F(window_fixture, ranks_and_ties_follow_the_window) {
  run([&]() -> awaitable<void> {
    leaderboards::service boards(redis, keys, time);
    window w(io, redis, keys, time, settings(), metrics);
    const auto top = [&]() -> awaitable<std::vector<std::string>> {
      const auto page = co_await boards.page("active", 1, 10);
      std::vector<std::string> out;
      for (const auto& e : page.entries)
        out.push_back(fmt::format("{} {} {}", e.rank, e.player_id, e.score));
      co_return out;
    };
    co_await credit(of("zoe", 4));
    time.advance(120s);
    co_await credit(of("zoe", 1));
    co_await credit(of("ann", 5));  // reaches 5 after zoe
    EXPECT_THAT(co_await top(), ElementsAre("1 zoe 5", "2 ann 5"));
    co_await credit(of("bob", 1));
    // The four leave: zoe falls to 1, which bob has had for longer.
    time.advance(length - 60s);
    co_await catch_up(w);
    EXPECT_THAT(co_await top(), ElementsAre("1 ann 5", "2 bob 1", "3 zoe 1"));
    const auto around = co_await boards.around("active", "bob", 1);
    EXPECT_EQ(around->size(), 3U);
    time.advance(length);
    co_await catch_up(w);
    EXPECT_THAT(co_await top(), IsEmpty());
  });
}

TEST_F(window_fixture, a_player_taken_off_the_board_by_hand_does_not_come_back_below_zero) {
  run([&]() -> awaitable<void> {
    window w(io, redis, keys, time, settings(), metrics);
    co_await credit(of("ann", 4, "bob", 2));
    redis::checked(co_await redis.command("ZREM", "leaderboard:active", "ann"));
    redis::checked(co_await redis.command("ZADD", "leaderboard:active", 1, "bob"));
    time.advance(length + slice);
    co_await catch_up(w);
    EXPECT_THAT(co_await shown(), IsEmpty());
  });
}

TEST_F(window_fixture, one_server_leads_and_another_takes_over) {
  run([&]() -> awaitable<void> {
    metrics::registry metrics2;
    window w1(io, redis, keys, time, settings(), metrics);
    window w2(io, redis, keys, time, settings(), metrics2);
    const auto sealed = [](metrics::registry& of) {
      return of.add_counter("skirmish_window_slices_sealed_total", "").value();
    };
    task_group group1(io);
    task_group group2(io);
    group1.spawn("first", [&] { return w1.run(); });
    group2.spawn("second", [&] { return w2.run(); });
    co_await credit(of("ann", 1));
    time.advance(slice);
    co_await testing::eventually([&] { return sealed(metrics) + sealed(metrics2) == 1; }, 20s);
    // Whoever it was ends, and the other goes on.
    const bool first_led = sealed(metrics) == 1;
    auto& leader = first_led ? group1 : group2;
    auto& follower = first_led ? metrics2 : metrics;
    leader.close();
    EXPECT_TRUE(co_await leader.wait(10s));
    co_await credit(of("ann", 1));
    time.advance(slice);
    co_await testing::eventually([&] { return sealed(follower) == 1; }, 20s);
    group1.close();
    group2.close();
    EXPECT_TRUE(co_await group1.wait(10s));
    EXPECT_TRUE(co_await group2.wait(10s));
  });
}

}  // namespace
}  // namespace skirmish::activity
