// Answers of the cache: who loads, when, and what is answered when the source fails.
#include "cache/describe_test.hpp"

#include <thread>

namespace skirmish::cache {
namespace {

using namespace cache_test;

TEST_F(cache_fixture, a_miss_loads_and_the_next_is_a_hit) {
  named_cache things(here.store, "things", {.ttl = 60min});
  run([&]() -> awaitable<void> {
    auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache::source::miss);
    EXPECT_EQ(answer.text(), "v1");
    EXPECT_EQ((co_await redis.command("GET", "level:1")).as_string(), "v1");
    EXPECT_GT(co_await pttl("level:1"), 3'595'000);
    EXPECT_EQ((co_await redis.command("DBSIZE")).as_integer(), 1) << "the claim is cleared";
    answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache::source::hit);
    EXPECT_EQ(database.loads, 1);
  });
  EXPECT_EQ(counted("skirmish_cache_hits_total{cache=\"things\"}"), 1U);
  EXPECT_EQ(counted("skirmish_cache_misses_total{cache=\"things\"}"), 1U);
  EXPECT_EQ(counted("skirmish_cache_loads_total{cache=\"things\"}"), 1U);
  EXPECT_EQ(counted("skirmish_cache_load_seconds_count{cache=\"things\"}"), 1U);
}

TEST_F(cache_fixture, each_step_is_told_with_its_key_and_time) {
  using enum cache::step::kind;
  std::vector<cache::step::kind> steps;
  std::chrono::nanoseconds loading_took{0};
  int slowed = 0;
  cache::hooks hooks;
  hooks.on_step = [&](const cache::step& s) {
    EXPECT_TRUE(s.key == "level:1" || s.key == "level:absent") << s.key;
    EXPECT_EQ(s.took.count() == 0, s.what == loading);
    EXPECT_EQ(s.ttl.count() > 0, s.what == stored || s.what == absence_stored);
    if (s.what == loaded) loading_took = s.took;
    steps.push_back(s.what);
  };
  hooks.around_load = [&](cache::loader load) {
    ++slowed;
    return load;
  };
  node watched(testing::shared_redis().config(), nullptr, &io, std::move(hooks));
  named_cache things(watched.store, "things", {.ttl = 60min});
  database.delay_ms = 30;
  run([&]() -> awaitable<void> {
    co_await watched.redis.wait_connected(10s);
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(steps, (std::vector{loading, loaded, stored}));
    EXPECT_GE(loading_took, 30ms);
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(steps.back(), found_in_redis);
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(steps.back(), found_in_memory);
    const auto nothing = []() -> awaitable<std::optional<cache::content>> {
      co_return std::nullopt;
    };
    co_await things.get_or_load("level:absent", nothing);
    EXPECT_EQ(steps.back(), absence_stored);
    EXPECT_EQ(slowed, 2) << "both loads went around";
    co_await watched.end();
  });
}

TEST_F(cache_fixture, a_hash_is_a_plain_hash_with_its_ttl) {
  named_cache profiles(here.store, "profiles", {.ttl = 60min, .as = stored_as::hash});
  database.content = cache::fields{{"name", "Ada"}, {"level", "3"}};
  run([&]() -> awaitable<void> {
    co_await profiles.get_or_load("user:p1", database.loader());
    EXPECT_EQ((co_await redis.command("HGET", "user:p1", "name")).as_string(), "Ada");
    EXPECT_GT(co_await pttl("user:p1"), 3'595'000);
    const auto answer = co_await profiles.get_or_load("user:p1", database.loader());
    EXPECT_EQ(answer.from, cache::source::hit);
    EXPECT_EQ(answer.field("level"), "3");
    EXPECT_EQ(answer.field("absent"), std::nullopt);
    co_await redis.command("PEXPIRE", "user:p1", 1'000);
    EXPECT_TRUE(co_await here.store.touch("user:p1", 60min));
    EXPECT_GT(co_await pttl("user:p1"), 3'595'000);
    EXPECT_FALSE(co_await here.store.touch("user:absent", 60min));
  });
}

TEST_F(cache_fixture, something_else_under_the_name_is_replaced) {
  named_cache things(here.store, "things");
  run([&]() -> awaitable<void> {
    co_await redis.command("LPUSH", "level:1", "x");
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache::source::miss);
    EXPECT_EQ((co_await redis.command("GET", "level:1")).as_string(), "v1");
  });
}

TEST_F(cache_fixture, a_thousand_callers_on_four_threads_make_one_load) {
  constexpr int threads = 4;
  constexpr int callers = 250;
  database.delay_ms = 50;
  auto flights = make_flights();
  std::atomic<int> answered = 0;
  std::atomic<int> ready = 0;
  std::vector<std::jthread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&] {
      node mine(testing::shared_redis().config(), flights);
      named_cache profiles(mine.store, "profiles");
      testing::run(mine.io, [&]() -> awaitable<void> {
        co_await mine.redis.wait_connected(10s);
        ++ready;
        co_await eventually([&] { return ready == threads; });
        int left = callers;
        for (int i = 0; i < callers; ++i)
          mine.tasks.spawn("caller", [&]() -> awaitable<void> {
            const auto answer = co_await profiles.get_or_load("user:cold", database.loader());
            if (answer.text() == "v1") ++answered;
            --left;
          });
        co_await eventually([&] { return left == 0; });
        co_await mine.end();
      });
    });
  }
  running.clear();
  EXPECT_EQ(answered, threads * callers);
  EXPECT_EQ(database.loads, 1);
}

TEST_F(cache_fixture, two_processes_make_one_load) {
  node other(testing::shared_redis().config(), nullptr, &io);
  named_cache mine(here.store, "things");
  named_cache theirs(other.store, "things");
  database.delay_ms = 50;
  run([&]() -> awaitable<void> {
    co_await other.redis.wait_connected(10s);
    int left = 2;
    for (auto* one : {&mine, &theirs})
      tasks.spawn("caller", [&, one]() -> awaitable<void> {
        const auto answer = co_await one->get_or_load("level:1", database.loader());
        EXPECT_EQ(answer.text(), "v1");
        --left;
      });
    co_await eventually([&] { return left == 0; });
    EXPECT_EQ(database.loads, 1);
    co_await other.end();
  });
}

TEST_F(cache_fixture, an_invalidation_during_the_load_discards_it) {
  named_cache things(here.store, "things");
  database.held_load = 1;
  run([&]() -> awaitable<void> {
    std::string got;
    tasks.spawn("caller", [&]() -> awaitable<void> {
      const auto answer = co_await things.get_or_load("level:1", database.loader());
      got = answer.text();
    });
    co_await eventually([&] { return database.loads == 1; });
    database.content = cache::content("v2");
    co_await things.invalidate_cache("level:1");
    // Whoever asks after the invalidation gets the new value, though the old load still runs.
    const auto later = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(later.text(), "v2");
    EXPECT_TRUE(got.empty());
    database.held_load = 0;
    co_await eventually([&] { return !got.empty(); });
    EXPECT_EQ(got, "v2");
    EXPECT_EQ((co_await redis.command("GET", "level:1")).as_string(), "v2");
  });
  EXPECT_GE(counted("skirmish_cache_discarded_loads_total{cache=\"things\"}"), 1U);
}

TEST_F(cache_fixture, an_absence_is_remembered_for_a_while) {
  named_cache things(here.store, "things", {.negative_ttl = 5s});
  database.content = std::nullopt;
  run([&]() -> awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      const auto answer = co_await things.get_or_load("user:none", database.loader());
      EXPECT_FALSE(answer.value);
    }
    EXPECT_EQ(database.loads, 1);
    EXPECT_EQ((co_await redis.command("EXISTS", "user:none")).as_integer(), 0);
    const auto ttl = co_await pttl("cache:load:user:none");
    EXPECT_TRUE(ttl > 1'000 && ttl <= 5'000) << ttl;
    // It is created, and the writer says so.
    database.content = cache::content("born");
    co_await things.invalidate_cache("user:none");
    const auto born = co_await things.get_or_load("user:none", database.loader());
    EXPECT_EQ(born.text(), "born");
  });
}

TEST_F(cache_fixture, stale_is_served_while_it_is_reloaded) {
  named_cache things(here.store, "things",
                     {.ttl = 60min, .fresh_for = 10min, .stale_while_revalidate = 10min});
  run([&]() -> awaitable<void> {
    co_await things.get_or_load("level:1", database.loader());
    co_await redis.command("PEXPIRE", "level:1", std::chrono::milliseconds(45min).count());
    database.content = cache::content("v2");
    database.held_load = 2;
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache::source::stale);
    EXPECT_EQ(answer.text(), "v1");
    co_await things.get_or_load("level:1", database.loader());
    database.held_load = 0;
    co_await testing::eventually_async([&]() -> awaitable<bool> {
      const auto now = co_await redis.command("GET", "level:1");
      co_return now.as_string() == "v2";
    });
    EXPECT_EQ(database.loads, 2) << "one load at a time";
    const auto fresh = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(fresh.from, cache::source::hit);
    EXPECT_EQ(fresh.text(), "v2");
  });
  EXPECT_EQ(counted("skirmish_cache_stale_total{cache=\"things\"}"), 2U);
}

TEST_F(cache_fixture, stale_is_served_when_the_source_is_down) {
  named_cache things(here.store, "things", {.ttl = 60min, .fresh_for = 10min});
  run([&]() -> awaitable<void> {
    co_await things.get_or_load("level:1", database.loader());
    co_await redis.command("PEXPIRE", "level:1", std::chrono::milliseconds(5min).count());
    database.broken = true;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
      const auto answer = co_await things.get_or_load("level:1", database.loader());
      EXPECT_EQ(answer.from, cache::source::stale);
      EXPECT_EQ(answer.text(), "v1");
    }
    EXPECT_LE(database.loads, 1 + loads_max(begin)) << "it was not left alone";
    EXPECT_GT(co_await pttl("level:1"), 200'000) << "its life is not prolonged";
  });
}

TEST_F(cache_fixture, without_a_copy_a_failed_source_fails_at_once) {
  named_cache things(here.store, "things");
  database.broken = true;
  run([&]() -> awaitable<void> {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i) {
      bool refused = false;
      try {
        co_await things.get_or_load("level:1", database.loader());
      } catch (const failure& e) {
        refused = e.code() == errc::unavailable;
      }
      EXPECT_TRUE(refused);
    }
    EXPECT_LE(database.loads, loads_max(begin)) << "it was not left alone";
    database.broken = false;
    // And it mends itself as soon as the pause is over.
    co_await testing::eventually_async([&]() -> awaitable<bool> {
      bool ok = false;
      try {
        co_await things.get_or_load("level:1", database.loader());
        ok = true;
      } catch (const failure&) {
      }
      co_return ok;
    });
  });
}

TEST_F(cache_fixture, a_load_is_cancelled_at_its_timeout) {
  named_cache things(here.store, "things", {.load_timeout = 30ms});
  database.delay_ms = 20'000;
  run([&]() -> awaitable<void> {
    errc code = errc::internal;
    try {
      co_await things.get_or_load("level:1", database.loader());
    } catch (const failure& e) {
      code = e.code();
    }
    EXPECT_EQ(code, errc::unavailable);
  });
}

}  // namespace
}  // namespace skirmish::cache
