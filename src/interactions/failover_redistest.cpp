// Commits that a failover takes away: a replica becomes the master without what had not reached it.
#include "core/task_group.hpp"
#include "interactions/interactions.hpp"
#include "support/redis_pair.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

const http::principal a_server{http::role::server, "k"};

class failover : public ::testing::Test {
 protected:
  void start(std::size_t replicas_acked, std::chrono::milliseconds lag_limit = 1h) {
    engine_settings s;
    s.committer.replicas_acked = replicas_acked;
    s.committer.replica_lag_limit = lag_limit;
    s.committer.restore_players = [this](std::vector<std::string> ids) {
      return restore(std::move(ids));
    };
    s.committer.restore_levels =
        [](std::vector<std::string> ids) -> awaitable<std::vector<std::string>> { co_return ids; };
    events.emplace(io, redis, redis, keys, time, s, numbers);
    connections.spawn("redis", [this] { return redis.run(); });
    tasks.spawn("engine", [this] { return events->run(); });
    run([this]() -> awaitable<void> {
      co_await redis.wait_connected(60s);
      std::vector<std::string> players{"a", "b"};
      co_await restore(std::move(players));
    });
  }
  void TearDown() override {
    events->stop();
    bool ended = false;
    run([&]() -> awaitable<void> { ended = co_await tasks.wait(60s); });
    EXPECT_TRUE(ended) << "the engine did not end";
    redis.stop();
    run([&]() -> awaitable<void> { co_await connections.wait(60s); });
  }

  void run(const std::function<awaitable<void>()>& work) { testing::run(io, work); }

  awaitable<std::vector<std::string>> restore(std::vector<std::string> ids) {
    for (const auto& id : ids) co_await redis.command("HSETNX", "player:" + id, "hp", 1'000'000);
    co_return std::vector<std::string>{};
  }
  // The next frame of the stream: an attack of a on b with damage 1.
  awaitable<outcome> hit() {
    frame f;
    const auto text = R"({"type":"attack","attacker_id":"a","target_id":"b","damage":1})";
    f.events.push_back(decode_event(boost::json::parse(text), a_server, time.now()).value());
    f.indices.push_back(0);
    f.position = stream_position{"s", ++frames, claim, "key:k"};
    co_return co_await events->commit(std::move(f));
  }
  awaitable<void> hit_times(int count) {
    for (int i = 0; i < count; ++i) {
      const auto out = co_await hit();
      EXPECT_FALSE(out.failed) << out.failed->message;
    }
  }
  awaitable<std::int64_t> number(std::string_view command, std::string_view key,
                                 std::string_view field) {
    try {
      const auto reply = co_await redis.command(command, key, field);
      co_return static_cast<std::int64_t>(reply.as_double().value_or(-1));
    } catch (const failure&) {
      co_return -2;
    }
  }
  std::string metric(const std::string& name) const {
    const auto text = "\n" + numbers.text();
    const auto at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "none";
    const auto begin = at + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }
  awaitable<void> until_all_is_safe() {
    const auto is_safe = [this] { return metric("skirmish_commits_held_bytes") == "0"; };
    co_await testing::eventually(is_safe);
  }
  // Without another commit: the server notices by itself.
  awaitable<void> until_dealt(std::int64_t damage) {
    const auto is_there = [&]() -> awaitable<bool> {
      const auto dealt = co_await number("HGET", "player:a", "damage_dealt");
      co_return dealt == damage;
    };
    co_await testing::eventually_async(is_there);
  }

  asio::io_context io{1};
  task_group tasks{io};
  task_group connections{io};
  testing::redis_pair pair;
  manual_clock time;
  redis::key_space keys;
  metrics::registry numbers;
  redis::client redis{io, pair.config(), "test"};
  std::optional<engine> events;
  std::uint64_t frames = 0;
  std::int64_t claim = 0;
};

TEST_F(failover, acknowledged_commits_reach_the_new_master) {
  start(1);
  run([this]() -> awaitable<void> {
    co_await hit_times(3);
    co_await until_all_is_safe();
    pair.stream.hold_replies();
    co_await hit_times(20);
    EXPECT_TRUE(pair.replica.says("HGET player:a damage_dealt", "3")) << "it is not behind";
    pair.fail_over();
    co_await until_dealt(23);
    const auto place = co_await events->claim("s", "key:k");
    EXPECT_EQ(place->committed, 23U);
    claim = place->claim;
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "a"), 23);
    EXPECT_EQ(metric("skirmish_commits_lost_total"), "0");
    EXPECT_EQ(metric("skirmish_commits_redone_total"), "20");
    co_await hit_times(1);
    co_await until_dealt(24);
  });
}

// Demoted, not killed: it is left as soon as it says so, and takes nothing along.
TEST_F(failover, a_master_that_is_demoted_takes_nothing_along) {
  start(1);
  run([this]() -> awaitable<void> {
    pair.stream.hold_replies();
    co_await hit_times(20);
    pair.replica.tell("REPLICAOF NO ONE");
    pair.master.tell(fmt::format("REPLICAOF 127.0.0.1 {}", testing::free_port()));
    const auto has_left = [this] { return !redis.connected(); };
    co_await testing::eventually(has_left);
    pair.address.lead_to(pair.replica.socket());
    co_await until_dealt(20);
    co_await hit_times(5);
    co_await until_dealt(25);
    EXPECT_EQ(metric("skirmish_commits_lost_total"), "0");
  });
}

TEST_F(failover, without_replicas_acked_what_was_lost_is_counted) {
  start(0);
  run([this]() -> awaitable<void> {
    pair.stream.hold_replies();
    co_await hit_times(5);
    co_await until_all_is_safe();
    pair.fail_over();
    co_await redis.wait_connected(60s);
    // The stream stands where the replica was: its client is told so.
    const auto out = co_await hit();
    EXPECT_TRUE(out.failed);
    EXPECT_EQ(out.failed ? out.failed->code : errc::internal, errc::conflict);
    EXPECT_EQ(metric("skirmish_commits_lost_total"), "5");
    frames = 0;
    co_await hit_times(2);
    co_await until_dealt(2);
    EXPECT_EQ(metric("skirmish_commits_lost_total"), "5");
  });
}

TEST_F(failover, behind_a_gap_what_is_still_held_is_applied) {
  start(1);
  run([this]() -> awaitable<void> {
    co_await hit_times(5);
    co_await until_all_is_safe();
    pair.stream.hold_replies();
    co_await hit_times(7);
    pair.replica.tell("REPLICAOF NO ONE");
    pair.replica.tell("FLUSHALL");  // as if it had not even had the first ones
    pair.fail_over();
    co_await until_dealt(7);
    EXPECT_EQ(metric("skirmish_commits_lost_total"), "5");
    EXPECT_EQ(metric("skirmish_commits_redone_total"), "7");
    const auto place = co_await events->claim("s", "key:k");
    EXPECT_EQ(place->committed, 12U);
    claim = place->claim;
    co_await hit_times(3);
    co_await until_dealt(10);
  });
}

TEST_F(failover, frames_are_refused_while_the_replicas_are_too_far_behind) {
  start(1, 300ms);
  run([this]() -> awaitable<void> {
    co_await hit_times(1);
    co_await until_all_is_safe();
    pair.stream.hold_replies();
    const auto is_refused = [this]() -> awaitable<bool> {
      const auto out = co_await hit();
      if (!out.failed) co_return false;
      --frames;
      EXPECT_EQ(out.failed->code, errc::unavailable);
      EXPECT_THAT(out.failed->message, HasSubstr("replicas"));
      co_return true;
    };
    co_await testing::eventually_async(is_refused);
    pair.stream.release_replies();
    const auto is_taken = [&]() -> awaitable<bool> {
      const bool refused = co_await is_refused();
      co_return !refused;
    };
    co_await testing::eventually_async(is_taken);
    co_await until_all_is_safe();
    co_await until_dealt(static_cast<std::int64_t>(frames));
  });
}

class failover_with_lag : public failover,
                          public ::testing::WithParamInterface<std::chrono::milliseconds> {};
INSTANTIATE_TEST_SUITE_P(by, failover_with_lag, ::testing::Values(80ms, 300ms, 2s));

// Under steady load the newest commit has never arrived, and what has is let go of all the same.
TEST_P(failover_with_lag, nothing_acknowledged_is_lost) {
  start(1);
  pair.stream.delay_replies(GetParam());
  run([this]() -> awaitable<void> {
    const auto begin = std::chrono::steady_clock::now();
    const auto is_enough = [&] {
      const bool some_are_safe = metric("skirmish_commit_safe_seconds_count") != "0";
      return some_are_safe && std::chrono::steady_clock::now() - begin > 3 * GetParam();
    };
    while (!is_enough() && std::chrono::steady_clock::now() - begin < 60s) co_await hit_times(1);
    EXPECT_NE(metric("skirmish_commit_safe_seconds_count"), "0") << "nothing was let go of";
    EXPECT_NE(metric("skirmish_commits_held_bytes"), "0") << "the replica was not behind";
    pair.stream.hold_replies();
    pair.fail_over();
    co_await until_dealt(static_cast<std::int64_t>(frames));
    EXPECT_EQ(metric("skirmish_commits_lost_total"), "0");
    EXPECT_NE(metric("skirmish_commits_redone_total"), "0");
  });
}

// A server that is there and refuses to write is not asked thousands of times.
class refusing_server : public failover, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(by, refusing_server,
                         ::testing::Values("maxmemory 1", "min-replicas-to-write 9"));

TEST_P(refusing_server, is_unavailable_and_asked_seldom) {
  start(0);
  run([this]() -> awaitable<void> {
    co_await hit_times(1);
    const std::string setting = GetParam();
    const auto name = setting.substr(0, setting.find(' '));
    pair.master.tell("CONFIG SET " + setting);
    for (int i = 0; i < 2; ++i) {
      const auto out = co_await hit();
      --frames;
      EXPECT_TRUE(out.failed);
      EXPECT_EQ(out.failed ? out.failed->code : errc::internal, errc::unavailable);
    }
    const auto retries = std::stoi(metric("skirmish_commit_retries_total"));
    EXPECT_GE(retries, 2);
    EXPECT_LE(retries, 40) << "in about four seconds";
    pair.master.tell("CONFIG SET " + name + " 0");
    co_await hit_times(3);
    co_await until_dealt(4);
  });
}

}  // namespace
}  // namespace skirmish::interactions
