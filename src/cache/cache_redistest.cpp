#include "skirmish/cache.hpp"

#include "cache/counters.hpp"
#include "core/error.hpp"
#include "metrics/registry.hpp"
#include "support/redis_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::pause;

// A thread of a server as far as caching goes: io_context, connection, store.
struct node {
  explicit node(redis::connection_config where, std::shared_ptr<cache_flights> flights = nullptr,
                asio::io_context* shared_io = nullptr)
      : own_io(1),
        io(shared_io ? *shared_io : own_io),
        redis(io, std::move(where), "cache"),
        store(io, redis, tasks,
              {.space = {}, .flights = std::move(flights), .metrics = &metrics, .time = &time}) {
    tasks.spawn("redis", [this] { return redis.run(); });
  }

  awaitable<void> end() {
    redis.stop();
    tasks.close();
    const bool ended = co_await tasks.wait(10s);
    EXPECT_TRUE(ended);
  }

  asio::io_context own_io;
  asio::io_context& io;
  task_group tasks{io};
  metrics::registry metrics;
  manual_clock time;
  redis::client redis;
  cache_store store;
};

// A source that counts and can fail, wait and change.
struct source {
  std::atomic<int> loads = 0;
  std::atomic<int> held_load = 0;  // this one (the first is 1) reads, and ends when it is let go
  std::atomic<bool> broken = false;
  std::atomic<int> delay_ms = 0;
  std::optional<cache_content> content = cache_content("v1");

  cache_loader loader() {
    return [this] { return load(); };
  }
  awaitable<std::optional<cache_content>> load() {
    const auto number = ++loads;
    auto read = content;
    while (held_load == number) co_await pause(1ms);
    if (delay_ms > 0) co_await pause(std::chrono::milliseconds(delay_ms.load()));
    if (broken) throw failure(errc::unavailable, "the source is down");
    co_return read;
  }
};

// After a failed load the source is left alone for 250 ms: so many loads there may be since then.
int loads_max(std::chrono::steady_clock::time_point begin) {
  return 1 + static_cast<int>((std::chrono::steady_clock::now() - begin) / 250ms);
}

class cache_fixture : public testing::redis_fixture {
 protected:
  void SetUp() override {
    testing::redis_fixture::SetUp();
    run([this]() -> awaitable<void> { co_await here.redis.wait_connected(10s); });
  }
  void TearDown() override {
    run([this]() -> awaitable<void> { co_await here.end(); });
    testing::redis_fixture::TearDown();
  }
  awaitable<std::int64_t> pttl(std::string key) {
    co_return (co_await redis.command("PTTL", key)).as_integer().value_or(-3);
  }
  std::uint64_t counted(const std::string& series) {
    const auto text = here.metrics.text();
    const auto at = text.find("\n" + series + " ");
    if (at == std::string::npos) return 0;
    return std::stoull(text.substr(at + series.size() + 2));
  }

  source database;
  node here{testing::shared_redis().config(), nullptr, &io};
};

TEST_F(cache_fixture, a_miss_loads_and_the_next_is_a_hit) {
  cache things(here.store, "things", {.ttl = 60min});
  run([&]() -> awaitable<void> {
    auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache_source::miss);
    EXPECT_EQ(answer.text(), "v1");
    EXPECT_EQ((co_await redis.command("GET", "level:1")).as_string(), "v1");
    EXPECT_GT(co_await pttl("level:1"), 3'595'000);
    EXPECT_EQ((co_await redis.command("DBSIZE")).as_integer(), 1) << "the claim is cleared";
    answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache_source::hit);
    EXPECT_EQ(database.loads, 1);
  });
  EXPECT_EQ(counted("skirmish_cache_hits_total{cache=\"things\"}"), 1U);
  EXPECT_EQ(counted("skirmish_cache_misses_total{cache=\"things\"}"), 1U);
  EXPECT_EQ(counted("skirmish_cache_loads_total{cache=\"things\"}"), 1U);
  EXPECT_EQ(counted("skirmish_cache_load_seconds_count{cache=\"things\"}"), 1U);
}

TEST_F(cache_fixture, a_hash_is_a_plain_hash_with_its_ttl) {
  cache profiles(here.store, "profiles", {.ttl = 60min, .as = stored_as::hash});
  database.content = cache_fields{{"name", "Ada"}, {"level", "3"}};
  run([&]() -> awaitable<void> {
    co_await profiles.get_or_load("user:p1", database.loader());
    EXPECT_EQ((co_await redis.command("HGET", "user:p1", "name")).as_string(), "Ada");
    EXPECT_GT(co_await pttl("user:p1"), 3'595'000);
    const auto answer = co_await profiles.get_or_load("user:p1", database.loader());
    EXPECT_EQ(answer.from, cache_source::hit);
    EXPECT_EQ(answer.field("level"), "3");
    EXPECT_EQ(answer.field("absent"), std::nullopt);
    co_await redis.command("PEXPIRE", "user:p1", 1'000);
    EXPECT_TRUE(co_await here.store.touch("user:p1", 60min));
    EXPECT_GT(co_await pttl("user:p1"), 3'595'000);
    EXPECT_FALSE(co_await here.store.touch("user:absent", 60min));
  });
}

TEST_F(cache_fixture, something_else_under_the_name_is_replaced) {
  cache things(here.store, "things");
  run([&]() -> awaitable<void> {
    co_await redis.command("LPUSH", "level:1", "x");
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache_source::miss);
    EXPECT_EQ((co_await redis.command("GET", "level:1")).as_string(), "v1");
  });
}

TEST_F(cache_fixture, a_thousand_callers_on_four_threads_make_one_load) {
  constexpr int threads = 4;
  constexpr int callers = 250;
  database.delay_ms = 50;
  auto flights = make_cache_flights();
  std::atomic<int> answered = 0;
  std::atomic<int> ready = 0;
  std::vector<std::jthread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&] {
      node mine(testing::shared_redis().config(), flights);
      cache profiles(mine.store, "profiles");
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
  cache mine(here.store, "things");
  cache theirs(other.store, "things");
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
  cache things(here.store, "things");
  database.held_load = 1;
  run([&]() -> awaitable<void> {
    std::string got;
    tasks.spawn("caller", [&]() -> awaitable<void> {
      const auto answer = co_await things.get_or_load("level:1", database.loader());
      got = answer.text();
    });
    co_await eventually([&] { return database.loads == 1; });
    database.content = cache_content("v2");
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
  cache things(here.store, "things", {.negative_ttl = 5s});
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
    database.content = cache_content("born");
    co_await things.invalidate_cache("user:none");
    const auto born = co_await things.get_or_load("user:none", database.loader());
    EXPECT_EQ(born.text(), "born");
  });
}

TEST_F(cache_fixture, stale_is_served_while_it_is_reloaded) {
  cache things(here.store, "things",
               {.ttl = 60min, .fresh_for = 10min, .stale_while_revalidate = 10min});
  run([&]() -> awaitable<void> {
    co_await things.get_or_load("level:1", database.loader());
    co_await redis.command("PEXPIRE", "level:1", std::chrono::milliseconds(45min).count());
    database.content = cache_content("v2");
    database.held_load = 2;
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache_source::stale);
    EXPECT_EQ(answer.text(), "v1");
    co_await things.get_or_load("level:1", database.loader());
    database.held_load = 0;
    co_await testing::eventually_async([&]() -> awaitable<bool> {
      const auto now = co_await redis.command("GET", "level:1");
      co_return now.as_string() == "v2";
    });
    EXPECT_EQ(database.loads, 2) << "one load at a time";
    const auto fresh = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(fresh.from, cache_source::hit);
    EXPECT_EQ(fresh.text(), "v2");
  });
  EXPECT_EQ(counted("skirmish_cache_stale_total{cache=\"things\"}"), 2U);
}

TEST_F(cache_fixture, stale_is_served_when_the_source_is_down) {
  cache things(here.store, "things", {.ttl = 60min, .fresh_for = 10min});
  run([&]() -> awaitable<void> {
    co_await things.get_or_load("level:1", database.loader());
    co_await redis.command("PEXPIRE", "level:1", std::chrono::milliseconds(5min).count());
    database.broken = true;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
      const auto answer = co_await things.get_or_load("level:1", database.loader());
      EXPECT_EQ(answer.from, cache_source::stale);
      EXPECT_EQ(answer.text(), "v1");
    }
    EXPECT_LE(database.loads, 1 + loads_max(begin)) << "it was not left alone";
    EXPECT_GT(co_await pttl("level:1"), 200'000) << "its life is not prolonged";
  });
}

TEST_F(cache_fixture, without_a_copy_a_failed_source_fails_at_once) {
  cache things(here.store, "things");
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
  cache things(here.store, "things", {.load_timeout = 30ms});
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

TEST_F(cache_fixture, values_are_refreshed_early_by_chance) {
  // With a large beta the dice always say yes, shortly before the end of freshness.
  cache things(here.store, "things", {.ttl = 60min, .early_refresh = 1e9});
  run([&]() -> awaitable<void> {
    co_await things.get_or_load("level:1", database.loader());
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache_source::hit);
    co_await eventually([&] { return database.loads == 2; });
  });
}

TEST_F(cache_fixture, memory_answers_without_redis_until_somebody_writes) {
  cache things(here.store, "things");
  run([&]() -> awaitable<void> {
    co_await redis.command("SET", "level:1", "one", "PX", 3'600'000);
    co_await things.get_or_load("level:1", database.loader());
    const auto commands = here.redis.stats().commands.load();
    for (int i = 0; i < 100; ++i) co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(here.redis.stats().commands.load(), commands);
    EXPECT_TRUE(things.peek("level:1"));
    co_await redis.command("SET", "level:1", "two", "PX", 3'600'000);
    co_await eventually([&] { return !things.peek("level:1"); });
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.text(), "two");
    EXPECT_TRUE(things.peek("level:1"));
    // A flush of the whole database reaches it too.
    co_await redis.command("FLUSHALL");
    co_await eventually([&] { return here.store.near_size() == 0; });
    EXPECT_EQ(database.loads, 0);
  });
}

TEST_F(cache_fixture, memory_is_bounded_in_time) {
  cache things(here.store, "things", {.near_ttl = 10s});
  run([&]() -> awaitable<void> {
    co_await redis.command("SET", "level:1", "one", "PX", 3'600'000);
    co_await things.get_or_load("level:1", database.loader());
    here.time.advance(9s);
    EXPECT_TRUE(things.peek("level:1"));
    here.time.advance(2s);
    EXPECT_FALSE(things.peek("level:1"));
  });
}

// Values change all the time under readers; none may keep one that is out of date.
TEST_F(cache_fixture, memory_converges_under_a_storm_of_writes) {
  cache things(here.store, "things");
  run([&]() -> awaitable<void> {
    bool writing = true;
    int readers = 4;
    for (int r = 0; r < 4; ++r)
      tasks.spawn("reader", [&]() -> awaitable<void> {
        int last = 0;
        while (writing) {
          const auto answer = co_await things.get_or_load("level:1", database.loader());
          if (answer.text() == "v1") continue;  // loaded before the first write
          const auto seen = std::stoi(answer.text());
          EXPECT_GE(seen, last);
          last = seen;
          co_await asio::post(io, use_awaitable);
        }
        --readers;
      });
    for (int i = 1; i <= 2'000; ++i) co_await redis.command("SET", "level:1", i, "PX", 3'600'000);
    writing = false;
    co_await eventually([&] { return readers == 0; });
    co_await testing::eventually_async([&]() -> awaitable<bool> {
      const auto answer = co_await things.get_or_load("level:1", database.loader());
      co_return answer.text() == "2000";
    });
  });
}

TEST_F(cache_fixture, what_one_thread_invalidates_no_other_remembers) {
  auto flights = make_cache_flights();
  node first(testing::shared_redis().config(), flights, &io);
  cache mine(first.store, "things");
  asio::io_context their_io{1};
  node other(testing::shared_redis().config(), flights, &their_io);
  cache theirs(other.store, "things");
  const auto keep = asio::make_work_guard(their_io);
  std::jthread thread([&] { their_io.run(); });
  // What is asked of the other thread, by the other thread.
  const auto there = [&](auto ask) {
    std::promise<decltype(ask())> answer;
    asio::post(their_io, [&] { answer.set_value(ask()); });
    return answer.get_future().get();
  };
  std::atomic<bool> in_memory = false;
  asio::post(their_io, [&] {
    other.tasks.spawn("reader", [&]() -> awaitable<void> {
      co_await other.redis.wait_connected(10s);
      for (int i = 0; i < 2; ++i) co_await theirs.get_or_load("level:1", database.loader());
      in_memory = true;
    });
  });
  run([&]() -> awaitable<void> {
    co_await first.redis.wait_connected(10s);
    co_await eventually([&] { return in_memory.load(); });
    EXPECT_TRUE(there([&] { return theirs.peek("level:1").has_value(); }));
    // The other thread is busy: Redis' push waits in its socket.
    asio::post(their_io, [] { std::this_thread::sleep_for(50ms); });
    co_await mine.invalidate_cache("level:1");
    EXPECT_FALSE(there([&] { return theirs.peek("level:1").has_value(); }));
    co_await first.end();
  });
  const auto end_theirs = [&other] { return other.end(); };
  asio::co_spawn(their_io, end_theirs, [&](const std::exception_ptr&) { their_io.stop(); });
}

TEST_F(cache_fixture, a_number_that_grew_during_the_load_is_not_taken_back) {
  cache_policy policy{.ttl = 60min, .as = stored_as::hash};
  cache_growing_field level{
      "level", [](std::string_view name) { return "player:" + std::string(name.substr(5)); }};
  policy.growing = std::make_shared<const cache_growing_field>(std::move(level));
  cache profiles(here.store, "profiles", policy);
  database.content = cache_fields{{"name", "Ada"}, {"level", "9"}};
  database.delay_ms = 30;
  run([&]() -> awaitable<void> {
    tasks.spawn("grower", [&]() -> awaitable<void> {
      co_await eventually([&] { return database.loads == 1; });
      co_await redis.command("HSET", "player:p1", "level", 10);
    });
    const auto answer = co_await profiles.get_or_load("user:p1", database.loader());
    EXPECT_EQ(answer.field("level"), "10");
    EXPECT_EQ((co_await redis.command("HGET", "user:p1", "level")).as_string(), "10");
    // Nor does the number fall that the source knows better, or that grows nowhere.
    co_await redis.command("HSET", "player:p2", "level", 3);
    const auto higher = co_await profiles.get_or_load("user:p2", database.loader());
    EXPECT_EQ(higher.field("level"), "9");
    const auto alone = co_await profiles.get_or_load("user:p3", database.loader());
    EXPECT_EQ(alone.field("level"), "9");
    auto born = cache_fields{{"name", "Eva"}, {"level", "1"}};
    co_await profiles.set_cache("user:p1", std::move(born));
    EXPECT_EQ((co_await redis.command("HGET", "user:p1", "level")).as_string(), "10");
  });
}

TEST_F(cache_fixture, a_sliding_value_that_is_read_lives_on) {
  cache things(here.store, "things", {.ttl = 60min, .near_ttl = 60s, .sliding = true});
  run([&]() -> awaitable<void> {
    co_await things.get_or_load("level:1", database.loader());
    co_await redis.command("PEXPIRE", "level:1", 100'000);
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_GT(co_await pttl("level:1"), 3'590'000);
    // A young one is left alone, or each reader would throw the others' copies out of memory.
    co_await redis.command("PEXPIRE", "level:1", 3'560'000);
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_LE(co_await pttl("level:1"), 3'560'000);
  });
}

TEST_F(cache_fixture, prefixes_are_invalidated_with_the_loads_under_way) {
  cache things(here.store, "things");
  run([&]() -> awaitable<void> {
    redis::request many;
    for (int i = 0; i < 2'500; ++i) many.push("SET", "level:" + std::to_string(i), "x");
    many.push("SET", "levels:popular", "kept");
    many.push("SET", "other", "kept");
    co_await redis.exec(std::move(many));
    database.held_load = 1;
    bool answered = false;
    tasks.spawn("caller", [&]() -> awaitable<void> {
      co_await things.get_or_load("level:new", database.loader());
      answered = true;
    });
    co_await eventually([&] { return database.loads == 1; });
    const auto removed = co_await here.store.invalidate_prefix("level:");
    EXPECT_EQ(removed, 2'500U);
    EXPECT_EQ((co_await redis.command("EXISTS", "levels:popular", "other")).as_integer(), 2);
    database.held_load = 0;
    co_await eventually([&] { return answered; });
    EXPECT_EQ(database.loads, 2) << "what was read before the invalidation was kept";
  });
}

TEST_F(cache_fixture, a_caller_that_goes_away_does_not_harm_the_others) {
  cache things(here.store, "things");
  database.held_load = 1;
  run([&]() -> awaitable<void> {
    asio::cancellation_signal leave;
    bool left = false;
    asio::co_spawn(
        io, [&]() -> awaitable<void> { co_await things.get_or_load("level:1", database.loader()); },
        asio::bind_cancellation_slot(leave.slot(),
                                     [&](const std::exception_ptr&) { left = true; }));
    co_await eventually([&] { return database.loads == 1; });
    leave.emit(asio::cancellation_type::terminal);
    co_await eventually([&] { return left; });
    database.held_load = 0;
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.text(), "v1");
    EXPECT_EQ(database.loads, 1);
  });
}

TEST_F(cache_fixture, plain_keys) {
  run([&]() -> awaitable<void> {
    auto& store = here.store;
    EXPECT_EQ(co_await store.get_key("greeting", "none"), "none");
    co_await store.set_key("greeting", "hello");
    EXPECT_EQ(co_await store.get_key("greeting"), "hello");
    EXPECT_EQ(co_await pttl("greeting"), -1);
    co_await store.set_key("greeting", "hi", 10s);
    EXPECT_GT(co_await pttl("greeting"), 9'000);
    EXPECT_TRUE(co_await store.delete_key("greeting"));
    EXPECT_FALSE(co_await store.delete_key("greeting"));
    EXPECT_EQ(co_await store.get_key("greeting"), std::nullopt);
  });
}

TEST_F(cache_fixture, cache_aside_by_hand) {
  cache things(here.store, "things", {.ttl = 60min});
  run([&]() -> awaitable<void> {
    EXPECT_FALSE(co_await things.get_cache("level:1"));
    const cache_content one = "one";
    co_await things.set_cache("level:1", one);
    EXPECT_GT(co_await pttl("level:1"), 3'595'000);
    co_await things.set_cache("level:1", one, 2h);
    EXPECT_GT(co_await pttl("level:1"), 7'195'000);
    const auto found = co_await things.get_cache("level:1");
    EXPECT_TRUE(found && found->text() == "one" && found->from == cache_source::hit);
    co_await things.invalidate_cache("level:1");
    EXPECT_FALSE(co_await things.get_cache("level:1"));
  });
}

// Outages, on a server of their own.
class cache_outage : public ::testing::Test {
 protected:
  static testing::server_options durable() {
    testing::server_options options;
    options.append_only = true;
    return options;
  }
  testing::redis_server server{durable()};
  node here{server.config()};
  source database;
};

TEST_F(cache_outage, memory_is_flushed_and_the_source_answers) {
  cache things(here.store, "things");
  testing::run(here.io, [&]() -> awaitable<void> {
    co_await here.redis.wait_connected(10s);
    co_await here.store.set_key("level:1", "one", 1h);
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_TRUE(things.peek("level:1"));
    server.kill();
    co_await eventually([&] { return !things.peek("level:1"); });
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache_source::miss);
    EXPECT_EQ(answer.text(), "v1");
    server.start();
    co_await here.redis.wait_connected(10s);
    // Tracking stands again on the new connection.
    co_await things.get_or_load("level:1", database.loader());
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_TRUE(things.peek("level:1"));
    co_await here.redis.command("SET", "level:1", "three");
    co_await eventually([&] { return !things.peek("level:1"); });
    co_await here.end();
  });
}

TEST_F(cache_outage, an_invalidation_that_redis_missed_is_made_up_for) {
  cache things(here.store, "things");
  testing::run(here.io, [&]() -> awaitable<void> {
    co_await here.redis.wait_connected(10s);
    co_await here.store.set_key("level:1", "old", 1h);
    server.kill();
    co_await eventually([&] { return !here.redis.connected(); });
    co_await here.store.invalidate("level:1");
    server.start();
    co_await here.redis.wait_connected(10s);
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.text(), "v1");
    co_await here.end();
  });
}

}  // namespace
}  // namespace skirmish
