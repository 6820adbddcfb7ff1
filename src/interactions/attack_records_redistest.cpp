#include "interactions/attack_records.hpp"

#include "interactions/interactions.hpp"
#include "interactions/interactions_keys.hpp"
#include "support/redis_fixture.hpp"

#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

awaitable<std::vector<std::string>> nobody(std::vector<std::string> ids) { co_return ids; }

engine_settings settings_with_limits(std::int64_t small, std::int64_t pending) {
  engine_settings s;
  s.committer.restore_players = nobody;
  s.committer.restore_levels = nobody;
  s.committer.small_commit_limit = small;
  s.committer.busy_from = 0;
  s.committer.commit.attacks_pending_limit = pending;
  return s;
}

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

  void start(std::int64_t small, std::int64_t pending) {
    events.emplace(io, redis, redis, keys, time, settings_with_limits(small, pending), numbers);
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
  // What a round over every part leaves.
  awaitable<std::int64_t> flush_all() {
    std::int64_t left = 0;
    for (std::size_t i = 0; i < attack_parts; ++i) left = co_await records.flush_some();
    co_return left;
  }
  static attack hit(const char* attacker, const char* target, std::int64_t damage) {
    attack a;
    a.attacker_id = attacker;
    a.target_id = target;
    a.damage = damage;
    return a;
  }

  manual_clock time;
  redis::key_space keys;
  metrics::registry numbers;
  std::optional<engine> events;
  attack_records records{redis, keys, time};
};

TEST_F(attack_records_fixture, many_are_pending_until_they_are_flushed_and_told_all_the_while) {
  start(1, 1'000);
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
  start(1, 1 << 20);
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
  start(1, 1 << 20);
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
  start(1, 1'000);
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
  start(1, 1'000);
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

TEST_F(attack_records_fixture, too_many_pending_ones_are_flushed_by_those_that_come) {
  start(1, 100);  // bytes: two records with the times of their commits
  run([this]() -> awaitable<void> {
    for (int damage = 1; damage <= 5; ++damage) {
      const std::vector<attack> hits{hit("a", "b", damage), hit("b", "a", damage)};
      co_await commit(hits);
    }
    EXPECT_LE(co_await pending(), 100);
    EXPECT_EQ(co_await damage_in_key("attack:a:b"), 4);
    const auto latest = co_await records.latest("a", "b");
    EXPECT_EQ(latest.value().damage, 5);
  });
}

}  // namespace
}  // namespace skirmish::interactions
