// Copies in memory, invalidation, and outages of Redis.
#include "cache/describe_test.hpp"
#include "cache/recent_invalidations.hpp"
#include "support/redis_pair.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <future>
#include <set>
#include <thread>

namespace skirmish::cache {
namespace {

using namespace cache_test;

TEST_F(cache_fixture, values_are_refreshed_early_by_chance) {
  // With a large beta the dice always say yes, shortly before the end of freshness.
  named_cache things(here.store, "things", {.ttl = 60min, .early_refresh = 1e9});
  run([&]() -> awaitable<void> {
    co_await things.get_or_load("level:1", database.loader());
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache::source::hit);
    co_await eventually([&] { return database.loads == 2; });
  });
}

TEST_F(cache_fixture, memory_answers_without_redis_until_somebody_writes) {
  named_cache things(here.store, "things");
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
  named_cache things(here.store, "things", {.near_ttl = 10s});
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
  named_cache things(here.store, "things");
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
  auto flights = make_flights();
  node first(testing::shared_redis().config(), flights, &io);
  named_cache mine(first.store, "things");
  asio::io_context their_io{1};
  node other(testing::shared_redis().config(), flights, &their_io);
  named_cache theirs(other.store, "things");
  const auto keep = asio::make_work_guard(their_io);
  std::jthread thread([&] { their_io.run(); });
  // What is asked of the other thread, by the other thread.
  const auto there = [&](auto ask) {
    std::promise<decltype(ask())> answer;
    asio::post(their_io, [&] { answer.set_value(ask()); });
    return answer.get_future().get();
  };
  std::atomic<bool> in_memory = false;
  const auto read = [&] {
    other.tasks.spawn("reader", [&]() -> awaitable<void> {
      co_await other.redis.wait_connected(10s);
      for (int i = 0; i < 2; ++i) co_await theirs.get_or_load("level:1", database.loader());
      in_memory = true;
    });
  };
  asio::post(their_io, read);
  run([&]() -> awaitable<void> {
    co_await first.redis.wait_connected(10s);
    co_await eventually([&] { return in_memory.load(); });
    EXPECT_TRUE(there([&] { return theirs.peek("level:1").has_value(); }));
    // The other thread is busy: Redis' push waits in its socket.
    asio::post(their_io, [] { std::this_thread::sleep_for(50ms); });
    co_await mine.invalidate_cache("level:1");
    EXPECT_FALSE(there([&] { return theirs.peek("level:1").has_value(); }));
    // The same for all names that begin so.
    in_memory = false;
    asio::post(their_io, read);
    co_await eventually([&] { return in_memory.load(); });
    EXPECT_TRUE(there([&] { return theirs.peek("level:1").has_value(); }));
    asio::post(their_io, [] { std::this_thread::sleep_for(50ms); });
    co_await first.store.invalidate_prefix("level:");
    EXPECT_FALSE(there([&] { return theirs.peek("level:1").has_value(); }));
    co_await first.end();
  });
  const auto end_theirs = [&other] { return other.end(); };
  asio::co_spawn(their_io, end_theirs, [&](const std::exception_ptr&) { their_io.stop(); });
}

TEST_F(cache_fixture, a_number_that_grew_during_the_load_is_not_taken_back) {
  cache::policy policy{.ttl = 60min, .as = stored_as::hash};
  growing_field level{
      "level", [](std::string_view name) { return "player:" + std::string(name.substr(5)); }};
  policy.growing = std::make_shared<const growing_field>(std::move(level));
  named_cache profiles(here.store, "profiles", policy);
  database.content = cache::fields{{"name", "Ada"}, {"level", "9"}};
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
    auto born = cache::fields{{"name", "Eva"}, {"level", "1"}};
    co_await profiles.set_cache("user:p1", std::move(born));
    EXPECT_EQ((co_await redis.command("HGET", "user:p1", "level")).as_string(), "10");
  });
}

TEST_F(cache_fixture, a_sliding_value_that_is_read_lives_on) {
  named_cache things(here.store, "things", {.ttl = 60min, .near_ttl = 60s, .sliding = true});
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
  named_cache things(here.store, "things");
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
  named_cache things(here.store, "things");
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
  named_cache things(here.store, "things", {.ttl = 60min});
  run([&]() -> awaitable<void> {
    EXPECT_FALSE(co_await things.get_cache("level:1"));
    const cache::content one = "one";
    co_await things.set_cache("level:1", one);
    EXPECT_GT(co_await pttl("level:1"), 3'595'000);
    co_await things.set_cache("level:1", one, 2h);
    EXPECT_GT(co_await pttl("level:1"), 7'195'000);
    const auto found = co_await things.get_cache("level:1");
    EXPECT_TRUE(found && found->text() == "one" && found->from == cache::source::hit);
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
  cache_test::source database;
};

TEST_F(cache_outage, memory_is_flushed_and_the_source_answers) {
  named_cache things(here.store, "things");
  testing::run(here.io, [&]() -> awaitable<void> {
    co_await here.redis.wait_connected(10s);
    co_await here.store.set_key("level:1", "one", 1h);
    co_await things.get_or_load("level:1", database.loader());
    EXPECT_TRUE(things.peek("level:1"));
    server.kill();
    co_await eventually([&] { return !things.peek("level:1"); });
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.from, cache::source::miss);
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
  named_cache things(here.store, "things");
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

TEST(cache_failover, what_was_invalidated_last_is_invalidated_at_the_new_master_too) {
  testing::redis_pair pair;
  auto& replica = pair.replica;
  cache_test::source database;
  node here{pair.config()};
  node elsewhere{pair.config()};
  named_cache things(here.store, "things");
  named_cache others(elsewhere.store, "things");
  testing::run(here.io, [&]() -> awaitable<void> {
    co_await here.redis.wait_connected(10s);
    co_await here.store.set_key("level:1", "old", 1h);
    co_await here.store.set_key("level:2", "two", 1h);
    const auto has_arrived = [&] { return replica.says("GET level:2", "two"); };
    co_await eventually(has_arrived);
    pair.stream.hold_replies();
    co_await here.store.invalidate("level:1");
    EXPECT_TRUE(replica.says("GET level:1", "old")) << "the replica is not behind";
    pair.fail_over();
    const auto is_gone = [&] { return replica.says("EXISTS level:1", ":0"); };
    co_await eventually(is_gone);
    EXPECT_TRUE(replica.says("GET level:2", "two")) << "more than what was invalidated is gone";
    const auto answer = co_await things.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.text(), "v1");
    co_await here.end();
  });
  testing::run(elsewhere.io, [&]() -> awaitable<void> {
    co_await elsewhere.redis.wait_connected(10s);
    const auto answer = co_await others.get_or_load("level:1", database.loader());
    EXPECT_EQ(answer.text(), "v1");
    co_await elsewhere.end();
  });
}

TEST(recent_invalidations, are_those_of_a_minute_and_bounded) {
  recent_invalidations recent;
  const std::chrono::steady_clock::time_point start{std::chrono::hours(1)};
  recent.note("early", start);
  recent.note("late", start + 50s);
  recent.note("later", start + 90s);
  recent.note("late", start + 91s);
  EXPECT_EQ(recent.around(start + 80s), (std::set<std::string>{"late", "later"}));
  EXPECT_EQ(recent.around(start + 30s).size(), 3U);
  recent.forget(start + 50s);
  EXPECT_EQ(recent.around(start + 30s), (std::set<std::string>{"late", "later"}));
  for (int i = 0; i < 20'000; ++i) recent.note(std::to_string(i), start + 92s);
  EXPECT_EQ(recent.around(start + 92s).size(), recent_invalidations::limit);
}

}  // namespace
}  // namespace skirmish::cache
