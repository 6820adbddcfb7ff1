#include "interactions/attack_records.hpp"

#include "interactions/attack_flusher.hpp"
#include "interactions/interactions.hpp"
#include "interactions/interactions_keys.hpp"
#include "interactions/pending_state.hpp"
#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <utility>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

awaitable<std::vector<std::string>> nobody(std::vector<std::string> ids) { co_return ids; }

engine_settings settings_for_tests(std::int64_t small) {
  engine_settings s;
  s.committer.restore_players = nobody;
  s.committer.restore_levels = nobody;
  s.committer.small_commit_limit = small;
  s.committer.busy_from = 0;
  return s;
}

// Attacks of many pairs by many commits, so that each part has some texts.
constexpr int many_pairs = 3'000;

class attack_records_fixture : public testing::redis_fixture {
 protected:
  void SetUp() override {
    redis_fixture::SetUp();
    run([this]() -> awaitable<void> {
      for (const auto* player : {"a", "b", "c"})
        co_await redis.command("HSET", std::string("player:") + player, "hp", 1'000);
    });
  }
  void TearDown() override {
    if (events) events->stop();
    redis_fixture::TearDown();
  }

  void start(std::int64_t small) {
    events.emplace(io, redis, redis, keys, time, settings_for_tests(small), numbers);
    tasks.spawn("engine", [this] { return events->run(); });
  }
  awaitable<void> commit(std::vector<attack> attacks) {
    frame f;
    for (auto& a : attacks) {
      a.ts = time.now();
      f.events.emplace_back(a);
      f.indices.push_back(f.indices.size());
    }
    const auto count = f.events.size();
    const auto out = co_await events->commit(std::move(f));
    EXPECT_EQ(out.accepted, count);
  }
  awaitable<std::int64_t> damage_in_key(const char* key) {
    co_return (co_await redis.command("HGET", key, "damage")).as_integer().value_or(0);
  }
  awaitable<std::int64_t> pending() {
    co_return (co_await redis.command("GET", pending_bytes_key(keys))).as_integer().value_or(0);
  }
  // Returns how many bytes are still pending.
  awaitable<std::int64_t> flush_all() {
    co_await flusher.flush_all();
    co_return co_await pending();
  }
  // p<i> hits t for i; then those with an even number hit it again for 100,000 more.
  awaitable<void> make_many_pending() {
    co_await redis.command("HSET", "player:t", "hp", std::int64_t{1} << 40);
    for (int i = 0; i < many_pairs; ++i)
      co_await redis.command("HSET", fmt::format("player:p{}", i), "hp", 1);
    first_commit = time.now();
    for (const int round : {1, 2}) {
      std::vector<attack> some;
      for (int i = 0; i < many_pairs; i += round) {
        some.push_back(hit("", "t", i + (round - 1) * 100'000));
        some.back().attacker_id = fmt::format("p{}", i);
        if (some.size() < 500 && i + round < many_pairs) continue;
        time.advance(1ms);
        co_await commit(std::exchange(some, {}));
      }
    }
    first_commit += 1ms;
  }
  awaitable<void> try_to_flush(redis::client& own, int& failed) {
    attack_flusher by(own, keys, time);
    try {
      co_await by.flush_all();
    } catch (const failure& e) {
      EXPECT_EQ(e.code(), errc::conflict) << e.what();
      ++failed;
    }
  }
  static attack hit(const char* attacker, const char* target, std::int64_t damage) {
    attack a;
    a.attacker_id = attacker;
    a.target_id = target;
    a.damage = damage;
    return a;
  }

  timestamp first_commit;
  manual_clock time;
  redis::key_space keys;
  metrics::registry numbers;
  std::optional<engine> events;
  attack_records records{redis, keys, time};
  attack_flusher flusher{redis, keys, time};
};

TEST_F(attack_records_fixture, many_are_pending_until_they_are_flushed_and_told_all_the_while) {
  start(1);
  run([this]() -> awaitable<void> {
    std::vector<attack> two{hit("a", "b", 5), hit("b", "a", 6)};
    two[0].id = "x-1";
    co_await commit(two);
    EXPECT_GT(co_await pending(), 0);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 0);
    const auto early = co_await records.latest("a", "b");
    EXPECT_EQ(early.value().damage, 5);
    EXPECT_EQ(early.value().id, "x-1");
    EXPECT_EQ(early.value().ts, to_rfc3339(time.now()));
    const auto none = co_await records.latest("a", "c");
    EXPECT_EQ(none.error().code, errc::not_found);

    time.advance(1h);
    EXPECT_EQ(co_await flush_all(), 0);
    EXPECT_EQ((co_await redis.command("KEYS", "attacks:pending:*")).size(), 0U);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 5);
    EXPECT_EQ((co_await redis.command("HGET", "attack:a:b", "id")).as_string(), "x-1");
    const auto ttl = (co_await redis.command("TTL", "attack:a:b")).as_integer().value_or(0);
    EXPECT_LE(ttl, 23 * 3'600);
    EXPECT_GT(ttl, 23 * 3'600 - 60);
    const auto late = co_await records.latest("b", "a");
    EXPECT_EQ(late.value().damage, 6);
  });
}

TEST_F(attack_records_fixture, pairs_that_look_alike_are_told_apart) {
  start(1);
  run([this]() -> awaitable<void> {
    for (const auto* player : {"a:b", "b:c", "a:b:c"})
      co_await redis.command("HSET", std::string("player:") + player, "hp", 1'000);
    std::vector<attack> both{hit("a:b", "c", 1), hit("a", "b:c", 2)};
    co_await commit(both);
    for (const bool is_flushed : {false, true}) {
      const auto first = co_await records.latest("a:b", "c");
      const auto second = co_await records.latest("a", "b:c");
      EXPECT_EQ(first.value().damage, 1) << is_flushed;
      EXPECT_EQ(second.value().damage, 2) << is_flushed;
      EXPECT_EQ(co_await flush_all(), 0);
    }
    EXPECT_EQ(co_await damage_in_key("attack:a%3Ab:c"), 1);
    EXPECT_EQ(co_await damage_in_key("attack:a:b%3Ac"), 2);
    const auto names = co_await redis.command("KEYS", "attack:*");
    EXPECT_EQ(names.size(), 2U);
  });
}

TEST_F(attack_records_fixture, what_else_stands_under_a_records_key_is_replaced) {
  start(1);
  run([this]() -> awaitable<void> {
    co_await redis.command("SET", "attack:a:b", "not a hash");
    std::vector<attack> three{hit("a", "b", 1), hit("b", "c", 2), hit("c", "a", 3)};
    co_await commit(three);
    EXPECT_EQ(co_await flush_all(), 0);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 1);
    EXPECT_EQ(co_await damage_in_key("attack:b:c"), 2);
    EXPECT_EQ(co_await damage_in_key("attack:c:a"), 3);
    const auto ttl = co_await redis.command("TTL", "attack:a:b");
    EXPECT_GT(ttl.as_integer().value_or(0), 0);
  });
}

TEST_F(attack_records_fixture, the_latest_of_a_pair_wins_however_they_come) {
  start(1);
  run([this]() -> awaitable<void> {
    const auto told = [this]() -> awaitable<std::int64_t> {
      const auto found = co_await records.latest("a", "b");
      co_return found.value().damage;
    };
    const std::vector<attack> hits1{hit("a", "b", 1)};
    co_await commit(hits1);  // written at once
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 1);
    const std::vector<attack> hits2{hit("a", "b", 2), hit("a", "c", 2)};
    co_await commit(hits2);
    EXPECT_EQ(co_await told(), 2);
    const std::vector<attack> hits3{hit("a", "b", 3), hit("b", "c", 3)};
    co_await commit(hits3);
    EXPECT_EQ(co_await told(), 3);
    const std::vector<attack> hits4{hit("a", "b", 4)};
    co_await commit(hits4);  // behind those that are pending
    EXPECT_EQ(co_await told(), 4);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 1);
    EXPECT_EQ(co_await flush_all(), 0);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 4);
    EXPECT_EQ(co_await told(), 4);
  });
}

TEST_F(attack_records_fixture, what_is_older_than_a_day_is_not_told_nor_flushed) {
  start(1);
  run([this]() -> awaitable<void> {
    const std::vector<attack> hits5{hit("a", "b", 5), hit("b", "a", 6)};
    co_await commit(hits5);
    time.advance(24h);
    const auto none = co_await records.latest("a", "b");
    EXPECT_EQ(none.error().code, errc::not_found);
    EXPECT_EQ(co_await flush_all(), 0);
    EXPECT_EQ((co_await redis.command("EXISTS", "attack:a:b")).as_integer(), 0);
  });
}

TEST_F(attack_records_fixture, flushing_writes_the_latest_of_every_pair_with_its_ttl) {
  start(1);
  run([this]() -> awaitable<void> {
    co_await make_many_pending();
    const auto before = co_await read_pending_state(redis, keys);
    EXPECT_EQ(before.attacks.oldest, first_commit);
    EXPECT_EQ(co_await flush_all(), 0);
    for (int i = 0; i < many_pairs; i += 7) {
      const auto key = fmt::format("attack:p{}:t", i);
      const auto expected = i % 2 == 0 ? i + 100'000 : i;
      EXPECT_EQ(co_await damage_in_key(key.c_str()), expected) << key;
      const auto left = (co_await redis.command("PTTL", key)).as_integer().value_or(0);
      EXPECT_LE(left, 86'400'000) << key;
      EXPECT_GT(left, 86'400'000 - 60'000) << key;
    }
    const auto left = co_await redis.command("KEYS", "attacks:*:*");
    EXPECT_EQ(left.size(), 0U) << left.to_text();
    const auto after = co_await read_pending_state(redis, keys);
    EXPECT_EQ(after.attacks.bytes, 0);
    EXPECT_FALSE(after.attacks.oldest);
  });
}

TEST_F(attack_records_fixture, a_server_that_takes_no_dumps_gets_hashes) {
  start(1);
  run([this]() -> awaitable<void> {
    redis::checked(co_await redis.command("ACL", "SETUSER", "default", "-restore"));
    co_await make_many_pending();
    EXPECT_EQ(co_await flush_all(), 0);
    redis::checked(co_await redis.command("ACL", "SETUSER", "default", "+restore"));
    EXPECT_EQ(co_await damage_in_key("attack:p4:t"), 100'004);
    EXPECT_EQ(co_await damage_in_key("attack:p5:t"), 5);
    const auto left = (co_await redis.command("PTTL", "attack:p5:t")).as_integer().value_or(0);
    EXPECT_GT(left, 86'400'000 - 60'000);
  });
}

TEST_F(attack_records_fixture, with_too_much_pending_commits_are_refused_until_it_is_flushed) {
  auto s = settings_for_tests(1);
  s.committer.commit.attacks_pending_limit = 200;  // bytes: three records
  events.emplace(io, redis, redis, keys, time, s, numbers);
  tasks.spawn("engine", [this] { return events->run(); });
  run([this]() -> awaitable<void> {
    const std::vector<attack> hits{hit("a", "b", 1), hit("b", "a", 1)};
    co_await commit(hits);
    co_await commit(hits);
    frame third;
    third.events.emplace_back(hits[0]);
    third.indices.push_back(0);
    const auto refused = co_await events->commit(third);
    EXPECT_EQ(refused.failed.value().code, errc::unavailable);
    EXPECT_EQ(co_await flush_all(), 0);
    const std::vector<attack> newer{hit("a", "b", 2), hit("b", "a", 2)};
    co_await commit(newer);
    EXPECT_EQ(co_await flush_all(), 0);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 2);
  });
}

// Whose lease ran out in the middle of a part: its successor has written newer records meanwhile.
TEST_F(attack_records_fixture, a_flusher_that_was_succeeded_writes_nothing_more) {
  start(1);
  run([this]() -> awaitable<void> {
    const std::vector<attack> hits{hit("a", "b", 1), hit("b", "a", 1)};
    co_await commit(hits);
    redis::client own(io, testing::shared_redis().config(), "slow");
    task_group running(io);
    running.spawn("redis", [&] { return own.run(); });
    co_await own.wait_connected(60s);
    // What the slow one has done so far.
    const auto list = pending_key(keys, attack_part(attack_hash("a", "b")));
    co_await own.command("INCR", attack_fence_key(keys));
    co_await own.command("WATCH", attack_fence_key(keys));
    const auto read = co_await own.command("LRANGE", list, 0, -1);
    EXPECT_EQ(read.size(), 1U);

    EXPECT_EQ(co_await flush_all(), 0);
    const std::vector<attack> newer{hit("a", "b", 2), hit("b", "a", 2)};
    co_await commit(newer);
    redis::request late;
    late.push("MULTI");
    late.push("HSET", "attack:a:b", "damage", 1);
    late.push("LTRIM", list, 1, -1);
    late.push("EXEC");
    const auto replies = co_await own.exec(std::move(late));
    EXPECT_TRUE(replies.back().is_nil());
    EXPECT_EQ(co_await flush_all(), 0);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 2);
    own.stop();
    running.close();
    co_await running.wait(60s);
  });
}

TEST_F(attack_records_fixture, two_flushers_and_a_third_after_them_lose_nothing) {
  start(1);
  run([this]() -> awaitable<void> {
    redis::client connections[] = {redis::client(io, testing::shared_redis().config(), "first"),
                                   redis::client(io, testing::shared_redis().config(), "second")};
    task_group running(io);
    for (auto& c : connections) running.spawn("redis", [&c] { return c.run(); });
    for (auto& c : connections) co_await c.wait_connected(60s);
    co_await make_many_pending();
    task_group both(io);
    int failed = 0;
    for (auto& c : connections) both.spawn("flusher", [&] { return try_to_flush(c, failed); });
    co_await both.wait(60s);
    EXPECT_GE(failed, 1) << "one must have noticed the other";
    EXPECT_EQ(co_await flush_all(), 0);
    for (int i = 0; i < many_pairs; ++i) {
      const auto key = fmt::format("attack:p{}:t", i);
      EXPECT_EQ(co_await damage_in_key(key.c_str()), i % 2 == 0 ? i + 100'000 : i) << key;
    }
    for (auto& c : connections) c.stop();
    running.close();
    co_await running.wait(60s);
  });
}

TEST_F(attack_records_fixture, a_record_is_found_among_many_and_without_an_index) {
  start(1);
  run([this]() -> awaitable<void> {
    co_await make_many_pending();
    const auto even = co_await records.latest("p44", "t");
    EXPECT_EQ(even.value().damage, 100'044);
    const auto odd = co_await records.latest("p45", "t");
    EXPECT_EQ(odd.value().damage, 45);
    const auto unknown = co_await records.latest("p45", "nobody");
    EXPECT_EQ(unknown.error().code, errc::not_found);
    // An older version left some.
    for (std::size_t part = 0; part < attack_parts; ++part)
      co_await redis.command("LPOP", pending_index_key(keys, part));
    const auto again = co_await records.latest("p44", "t");
    EXPECT_EQ(again.value().damage, 100'044);
    EXPECT_EQ(co_await flush_all(), 0);
    EXPECT_EQ(co_await damage_in_key("attack:p44:t"), 100'044);
  });
}

}  // namespace
}  // namespace skirmish::interactions
