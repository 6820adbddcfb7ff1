#include "interactions/committer.hpp"

#include "interactions/interactions.hpp"
#include "support/redis_fixture.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const http::principal a_server{http::role::server, "k"};

awaitable<std::vector<std::string>> nobody(std::vector<std::string> ids) { co_return ids; }

engine_settings settings_for_tests() {
  engine_settings s;
  s.committer.restore_players = nobody;
  s.committer.restore_levels = nobody;
  return s;
}

class committer_fixture : public testing::redis_fixture {
 protected:
  void SetUp() override {
    redis_fixture::SetUp();
    tasks.spawn("engine", [this] { return events.run(); });
    run([this]() -> awaitable<void> {
      for (const auto* player : {"a", "b", "c"})
        co_await redis.command("HSET", fmt::format("player:{}", player), "hp", 100);
    });
  }
  void TearDown() override {
    events.stop();
    redis_fixture::TearDown();
  }

  frame make(const std::vector<std::string>& texts, std::optional<stream_position> at = {}) {
    frame f;
    for (const auto& text : texts) {
      f.events.push_back(decode_event(boost::json::parse(text), a_server, time.now()).value());
      f.indices.push_back(f.indices.size());
    }
    f.position = std::move(at);
    return f;
  }
  static std::string hit(const char* attacker, const char* target, int damage) {
    return fmt::format(R"({{"type":"attack","attacker_id":"{}","target_id":"{}","damage":{}}})",
                       attacker, target, damage);
  }
  awaitable<std::int64_t> number(std::string command, std::string key, std::string field) {
    co_return (co_await redis.command(command, key, field)).as_double().value_or(-1);
  }

  manual_clock time;
  redis::key_space keys;
  metrics::registry numbers;
  engine events{io, redis, redis, keys, time, settings_for_tests(), numbers};
};

TEST_F(committer_fixture, an_attack_leaves_its_record_and_the_players_state) {
  run([this]() -> awaitable<void> {
    for (const int damage : {5, 7}) {
      auto f = make({hit("a", "b", damage)});
      const auto out = co_await events.commit(std::move(f));
      EXPECT_EQ(out.accepted, 1U);
      auto record = co_await redis.command("HGETALL", "attack:a:b");
      EXPECT_THAT(record.as_pairs(),
                  UnorderedElementsAre(Pair("id", ""), Pair("damage", std::to_string(damage)),
                                       Pair("ts", to_rfc3339(time.now()))));
      time.advance(1s);
    }
    const auto ttl = (co_await redis.command("TTL", "attack:a:b")).as_integer().value_or(0);
    EXPECT_GT(ttl, 86'390);
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 88);
    EXPECT_EQ(co_await number("HGET", "player:a", "damage_dealt"), 12);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "a"), 2);
  });
}

TEST_F(committer_fixture, frames_with_long_ids_keep_them) {
  run([this]() -> awaitable<void> {
    const std::string id(64, 'x');
    auto f = make({fmt::format(
        R"({{"type":"attack","id":"{}","attacker_id":"a","target_id":"b","damage":1}})", id)});
    const auto out = co_await events.commit(std::move(f));
    EXPECT_EQ(out.accepted, 1U);
    EXPECT_EQ((co_await redis.command("HGET", "attack:a:b", "id")).as_string(), id);
  });
}

TEST_F(committer_fixture, a_frame_behind_one_that_is_amended_follows_it) {
  run([this]() -> awaitable<void> {
    std::vector<std::string> order;
    std::size_t done = 0;
    const auto submit = [&](std::vector<std::string> texts, std::uint64_t seq) {
      auto f = make(texts, stream_position{"s", seq});
      f.done = [&order, &done, seq](const outcome& o) {
        order.push_back(fmt::format("{}:{}:{}", seq, o.accepted, o.rejected.size()));
        ++done;
      };
      events.submit(std::move(f));
    };
    // The first is on its way alone; the others follow while it is amended.
    submit({hit("a", "stranger", 1), hit("a", "b", 1)}, 1);
    co_await testing::pause(1ms);
    submit({hit("a", "b", 2)}, 2);
    co_await testing::pause(1ms);
    submit({hit("stranger", "b", 2), hit("a", "c", 2)}, 3);
    co_await testing::eventually([&] { return done == 3; });
    EXPECT_THAT(order, ElementsAre("1:1:1", "2:1:0", "3:1:1"));
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 97);
    EXPECT_EQ(co_await number("HGET", "player:a", "damage_dealt"), 5);
    EXPECT_EQ(co_await events.committed("s"), 3U);
  });
}

TEST_F(committer_fixture, commits_that_redis_forgot_are_done_again) {
  run([this]() -> awaitable<void> {
    // Only commits that may not be in the file yet are kept, so this has to be quick: it is tried
    // until the loss hits one that was.
    for (int attempt = 0; attempt < 50; ++attempt) {
      co_await redis.command("FLUSHALL");
      for (const auto* player : {"a", "b", "c"})
        co_await redis.command("HSET", fmt::format("player:{}", player), "hp", 100);
      auto first = make({hit("a", "b", 1)});
      const auto done = co_await events.commit(std::move(first));
      EXPECT_EQ(done.accepted, 1U);
      co_await redis.command("FLUSHALL");
      for (const auto* player : {"a", "b", "c"})
        co_await redis.command("HSET", fmt::format("player:{}", player), "hp", 100);
      auto second = make({hit("a", "b", 1)});
      const auto again = co_await events.commit(std::move(second));
      EXPECT_EQ(again.accepted, 1U);
      if (co_await number("ZSCORE", "leaderboard:active", "a") < 2) continue;
      EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 98);
      co_return;
    }
    ADD_FAILURE() << "no commit was done again";
  });
}

}  // namespace
}  // namespace skirmish::interactions
