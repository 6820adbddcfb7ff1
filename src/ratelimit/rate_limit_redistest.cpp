#include "skirmish/rate_limit.hpp"

#include "metrics/registry.hpp"
#include "ratelimit/gcra.hpp"
#include "ratelimit/ratelimit_keys.hpp"
#include "support/redis_fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <thread>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using testing::redis_fixture;

const redis::script take_script{
    "ratelimit/take",
#include "ratelimit/take.lua.inc"
};

class rate_limits : public redis_fixture {
 protected:
  metrics::registry metrics;
  rate_limiter limits{redis, {.metrics = &metrics}};
};

TEST_F(rate_limits, a_burst_then_the_rate) {
  const rate_policy policy{.name = "logins", .rate_per_s = 0.01, .burst = 3};
  run([&]() -> awaitable<void> {
    for (std::int64_t left = 2; left >= 0; --left) {
      const auto verdict = co_await limits.take(policy, "203.0.113.7");
      EXPECT_TRUE(verdict.allowed);
      EXPECT_EQ(verdict.remaining, left);
    }
    const auto refused = co_await limits.take(policy, "203.0.113.7");
    EXPECT_FALSE(refused.allowed);
    EXPECT_GT(refused.retry_after, 90s);
    EXPECT_LE(refused.retry_after, 100s);
    // Another subject, and another policy, have buckets of their own.
    EXPECT_TRUE((co_await limits.take(policy, "203.0.113.8")).allowed);
    auto other = policy;
    other.name = "searches";
    EXPECT_TRUE((co_await limits.take(other, "203.0.113.7")).allowed);
    std::int64_t longest_ms = 0;
    for (const auto& key : ratelimit::bucket_keys({}, "logins")) {
      const auto ttl = co_await redis.command("PTTL", key);
      longest_ms = std::max(longest_ms, ttl.as_integer().value_or(0));
    }
    EXPECT_GT(longest_ms, 600'000) << "a period is the 300 s in which the bucket fills";
    EXPECT_LE(longest_ms, 900'000);
  });
}

// Over many periods of both hashes, several subjects in one batch, and the same one twice.
TEST_F(rate_limits, the_script_decides_as_the_model_does) {
  const auto g = ratelimit::gcra::of(50, 20);
  run([&]() -> awaitable<void> {
    std::mt19937_64 random(7);
    // From the real time on: Redis drops by its own clock what has been over for long.
    std::int64_t now = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
    std::map<std::string, std::int64_t> arrivals;
    const auto names = ratelimit::bucket_keys({}, "model");
    const std::vector<std::string_view> keys(names.begin(), names.end());
    for (int i = 0; i < 2'000; ++i) {
      now += static_cast<std::int64_t>(random() % (i % 50 == 0 ? 12'000'000 : 60'000));
      const auto more = static_cast<std::int64_t>(random() % 5) * g.token_us;
      const bool same = random() % 2 == 0;
      const auto count = 1 + random() % 4;
      std::vector<std::string> subjects;
      std::vector<std::int64_t> least;
      for (std::size_t n = 0; n < count; ++n) {
        subjects.push_back(fmt::format("s{}", random() % 6));
        least.push_back(same && n > 0 ? least.front()
                                      : static_cast<std::int64_t>(1 + random() % 20) * g.token_us);
      }
      std::vector<std::string> texts{std::to_string(now), std::to_string(g.burst_us),
                                     std::to_string(more), std::to_string(g.period_us()),
                                     same ? std::to_string(least.front()) : std::string()};
      texts.insert(texts.end(), subjects.begin(), subjects.end());
      if (!same)
        for (const auto one : least) texts.push_back(std::to_string(one));
      const std::vector<std::string_view> args(texts.begin(), texts.end());
      const auto reply = redis::checked(co_await redis.eval(take_script, keys, args));
      for (std::size_t n = 0; n < count; ++n) {
        auto& arrival = arrivals[subjects[n]];
        const auto expected = g.take(arrival, now, least[n], least[n] + more);
        const auto room = reply[n].as_integer().value_or(-1);
        const auto given = ratelimit::gcra::grant_of(room, least[n], least[n] + more);
        EXPECT_EQ(given.granted_us, expected.granted_us) << i;
        EXPECT_EQ(given.wait_us, expected.wait_us) << i;
        arrival = expected.arrival_us;
      }
    }
  });
}

TEST_F(rate_limits, buckets_that_are_full_again_are_dropped) {
  const auto g = ratelimit::gcra::of(50, 20);
  run([&]() -> awaitable<void> {
    const auto names = ratelimit::bucket_keys({}, "short");
    const std::vector<std::string_view> keys(names.begin(), names.end());
    const auto period = g.period_us();
    // In the future, so that Redis itself drops nothing.
    const auto start =
        (std::chrono::system_clock::now().time_since_epoch() / 1us / period + 10) * period;
    for (int turn = 0; turn < 6; ++turn)
      for (int n = 0; n < 10; ++n) {
        const std::vector<std::string> texts{std::to_string(start + turn * period + n),
                                             std::to_string(g.burst_us),
                                             "0",
                                             std::to_string(period),
                                             "1",
                                             fmt::format("turn{}-{}", turn, n)};
        const std::vector<std::string_view> args(texts.begin(), texts.end());
        redis::checked(co_await redis.eval(take_script, keys, args));
      }
    for (const auto& name : names) {
      const auto fields = co_await redis.command("HLEN", name);
      EXPECT_EQ(fields.as_integer(), 11) << "those of one period, and its number";
    }
  });
}

// Two policies whose questions mix go to Redis each by itself.
TEST_F(rate_limits, questions_of_many_policies_and_costs_wait_together) {
  rate_limiter patient{redis, {.answer_timeout = 30s}};
  run([&]() -> awaitable<void> {
    int done = 0;
    int allowed = 0;
    for (int i = 0; i < 600; ++i) {
      auto ask = [&, i]() -> awaitable<void> {
        const rate_policy policy{
            .name = fmt::format("mixed{}", i % 3), .rate_per_s = 0.01, .burst = 150};
        const auto verdict = co_await patient.take(policy, "x", 1 + i % 2);
        allowed += verdict.allowed ? 1 + i % 2 : 0;
        ++done;
      };
      tasks.spawn("ask", ask);
    }
    co_await testing::eventually([&] { return done == 600; });
    EXPECT_GE(allowed, 3 * 149);
    EXPECT_LE(allowed, 3 * 150);
  });
}

// Of a hundred that ask at once, one asks Redis first and the others together.
TEST_F(rate_limits, who_waits_goes_to_redis_together) {
  const rate_policy few{.name = "few", .rate_per_s = 0.01, .burst = 30};
  const rate_policy many{.name = "many", .rate_per_s = 0.01, .burst = 1'000};
  run([&]() -> awaitable<void> {
    const auto before = redis.stats().commands.load();
    int done = 0;
    int allowed = 0;
    for (int i = 0; i < 200; ++i) {
      auto ask = [&, i]() -> awaitable<void> {
        const bool is_even = i % 2 == 0;
        const auto& policy = is_even ? few : many;
        const auto verdict = co_await limits.take(policy, "x");
        allowed += verdict.allowed ? 1 : 0;
        ++done;
      };
      tasks.spawn("ask", ask);
    }
    co_await testing::eventually([&] { return done == 200; });
    EXPECT_EQ(allowed, 30 + 100);
    EXPECT_LE(redis.stats().commands.load() - before, 8U);
  });
}

// One that is cancelled while it waits takes nobody else with it.
TEST_F(rate_limits, who_goes_away_while_waiting_holds_nobody_back) {
  const rate_policy policy{.name = "left", .rate_per_s = 0.01, .burst = 1'000};
  run([&]() -> awaitable<void> {
    int done = 0;
    {
      task_group leaving(io);
      for (int i = 0; i < 10; ++i) {
        auto ask = [&]() -> awaitable<void> { co_await limits.take(policy, "x"); };
        leaving.spawn("leaving", ask);
      }
      for (int i = 0; i < 10; ++i) {
        auto ask = [&]() -> awaitable<void> {
          const auto verdict = co_await limits.take(policy, "y");
          done += verdict.allowed ? 1 : 0;
        };
        tasks.spawn("staying", ask);
      }
      co_await testing::pause(0ms);
      leaving.close();
      co_await leaving.wait(10s);
    }
    co_await testing::eventually([&] { return done == 10; }, 10s);
    const auto verdict = co_await limits.take(policy, "z");
    EXPECT_TRUE(verdict.allowed);
  });
}

// Each on a connection and a thread of its own, as processes are.
TEST_F(rate_limits, four_threads_with_leases_stay_within_a_hundredth_at_any_time) {
  using steady = std::chrono::steady_clock;
  const rate_policy policy{
      .name = "rush", .rate_per_s = 5'000, .burst = 500, .lease_tokens = 10, .lease_ttl = 100ms};
  const auto until = steady::now() + 3s;
  std::mutex mutex;
  std::vector<steady::time_point> granted;
  const auto spend = [&] {
    asio::io_context own{1};
    task_group group{own};
    redis::client connection{own, testing::shared_redis().config(), "rush"};
    group.spawn("redis", [&] { return connection.run(); });
    rate_limiter limiter{connection};
    std::vector<steady::time_point> mine;
    testing::run(own, [&]() -> awaitable<void> {
      co_await connection.wait_connected(60s);
      while (steady::now() < until) {
        const auto verdict = co_await limiter.take(policy, "x");
        if (verdict.allowed)
          mine.push_back(steady::now());
        else
          co_await testing::pause(1ms);
      }
      connection.stop();
      co_await group.wait(10s);
    });
    const std::lock_guard lock(mutex);
    granted.insert(granted.end(), mine.begin(), mine.end());
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(spend);
  }
  std::sort(granted.begin(), granted.end());
  EXPECT_GT(granted.size(), 8'000U) << "nobody was hindered by anything else";
  // The most within any second: burst and rate, and what the four may have held back.
  std::size_t most = 0;
  std::size_t first = 0;
  for (std::size_t last = 0; last < granted.size(); ++last) {
    while (granted[last] - granted[first] > 1s) ++first;
    most = std::max(most, last - first + 1);
  }
  EXPECT_LE(most, static_cast<std::size_t>(1.01 * (500 + 5'000)));
}

TEST_F(rate_limits, a_changed_policy_does_not_wait_for_the_old_one) {
  rate_policy policy{.name = "changed", .rate_per_s = 0.001, .burst = 10};
  run([&]() -> awaitable<void> {
    EXPECT_TRUE((co_await limits.take(policy, "x", 10)).allowed);
    EXPECT_FALSE((co_await limits.take(policy, "x")).allowed);
    policy.rate_per_s = 1'000;
    limits.forget();
    const auto empty = co_await limits.take(policy, "x", 10);
    EXPECT_FALSE(empty.allowed);
    EXPECT_EQ(empty.retry_after, 10ms) << "it is as empty as it can be, and fills from now on";
    co_await testing::pause(20ms);
    const auto verdict = co_await limits.take(policy, "x", 10);
    EXPECT_TRUE(verdict.allowed);
  });
}

TEST_F(rate_limits, refusals_and_leases_cost_no_call) {
  run([&]() -> awaitable<void> {
    const rate_policy flood{.name = "flood", .rate_per_s = 0.01, .burst = 1};
    co_await limits.take(flood, "x");
    co_await limits.take(flood, "x");
    const auto before = redis.stats().commands.load();
    for (int i = 0; i < 1'000; ++i) {
      const auto verdict = co_await limits.take(flood, "x");
      EXPECT_FALSE(verdict.allowed);
    }
    EXPECT_EQ(redis.stats().commands.load(), before);

    const rate_policy busy{
        .name = "busy", .rate_per_s = 20, .burst = 10'000, .lease_tokens = 99, .lease_ttl = 1min};
    for (int i = 0; i < 1'000; ++i) {
      const auto verdict = co_await limits.take(busy, "x");
      EXPECT_TRUE(verdict.allowed) << i;
    }
    EXPECT_EQ(redis.stats().commands.load(), before + 10);
  });
}

// Whoever asks another process has what is there, also of a bucket that is small or fills slowly.
TEST_F(rate_limits, no_lease_takes_what_a_bucket_cannot_do_without) {
  rate_limiter second(redis);
  const rate_policy small{
      .name = "small", .rate_per_s = 10, .burst = 7, .lease_tokens = 7, .lease_ttl = 1min};
  const rate_policy slow{
      .name = "slow", .rate_per_s = 0.001, .burst = 600, .lease_tokens = 500, .lease_ttl = 10ms};
  run([&]() -> awaitable<void> {
    EXPECT_TRUE((co_await limits.take(small, "x")).allowed);
    EXPECT_TRUE((co_await second.take(small, "x", 5)).allowed);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE((co_await limits.take(slow, "x")).allowed);
      co_await testing::pause(20ms);  // a lease would be lost now
    }
    EXPECT_TRUE((co_await second.take(slow, "x", 597)).allowed);
    EXPECT_FALSE((co_await second.take(slow, "x")).allowed);
  });
}

TEST_F(rate_limits, what_else_stands_under_its_keys_is_replaced) {
  const rate_policy policy{.name = "junk", .rate_per_s = 0.01, .burst = 2};
  const auto keys = ratelimit::bucket_keys({}, "junk");
  run([&]() -> awaitable<void> {
    for (const auto& key : keys) redis::checked(co_await redis.command("SET", key, "text"));
    EXPECT_TRUE((co_await limits.take(policy, "x")).allowed);
    EXPECT_EQ((co_await limits.take(policy, "x")).remaining, 0) << "decided by Redis";
    for (const auto& key : keys) {
      redis::checked(co_await redis.command("DEL", key));
      redis::checked(co_await redis.command("HSET", key, "@period", "nonsense", "y", "nonsense"));
    }
    EXPECT_EQ((co_await limits.take(policy, "y")).remaining, 1);
    EXPECT_EQ((co_await limits.take(policy, "y")).remaining, 0);
    EXPECT_FALSE((co_await limits.take(policy, "y")).allowed);
  });
}

TEST_F(rate_limits, four_processes_with_leases_stay_within_a_hundredth) {
  run([&]() -> awaitable<void> {
    const rate_policy policy{
        .name = "shared", .rate_per_s = 5, .burst = 10'000, .lease_tokens = 25, .lease_ttl = 1min};
    rate_limiter second(redis);
    rate_limiter third(redis);
    rate_limiter fourth(redis);
    rate_limiter* const all[] = {&limits, &second, &third, &fourth};
    std::mt19937_64 random(3);
    int allowed = 0;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20'000; ++i) {
      const auto verdict = co_await all[random() % 4]->take(policy, "x");
      allowed += verdict.allowed ? 1 : 0;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_GE(allowed, 10'000 - 4 * 25);
    EXPECT_LE(allowed, 10'001 + 5 * took.count())
        << "a lease is taken out of the bucket before it is spent";
  });
}

TEST_F(rate_limits, a_cost_above_the_burst_can_never_be_had) {
  const rate_policy policy{.name = "small", .rate_per_s = 1, .burst = 10};
  run([&]() -> awaitable<void> {
    const auto verdict = co_await limits.take(policy, "x", 11);
    EXPECT_FALSE(verdict.allowed);
    EXPECT_EQ(verdict.retry_after, std::chrono::milliseconds::max());
    EXPECT_TRUE((co_await limits.take(policy, "x", 10)).allowed);
  });
}

TEST_F(rate_limits, shadow_mode_only_counts) {
  const rate_policy policy{.name = "trial", .rate_per_s = 0.01, .burst = 1, .shadow = true};
  run([&]() -> awaitable<void> {
    for (int i = 0; i < 5; ++i) {
      const auto verdict = co_await limits.take(policy, "x");
      EXPECT_TRUE(verdict.allowed);
    }
  });
  EXPECT_NE(metrics.text().find(
                R"(skirmish_rate_limit_decisions_total{policy="trial",outcome="shadowed"} 4)"),
            std::string::npos)
      << metrics.text();
}

TEST_F(rate_limits, hostile_subjects_and_policies_are_refused) {
  run([&]() -> awaitable<void> {
    const std::vector<rate_policy> wrong{{.name = "p", .rate_per_s = 1e-6, .burst = 32},
                                         {.name = "p", .rate_per_s = 1e-7},
                                         {.name = "p q"}};
    for (const auto& policy : wrong) {
      std::optional<errc> code;
      try {
        co_await limits.take(policy, "x");
      } catch (const failure& e) {
        code = e.code();
      }
      EXPECT_EQ(code, errc::invalid_argument) << policy.name << policy.burst;
    }
    const std::vector<std::string> hostile{"", "a@b", "a b", "a\nb", std::string(129, 'x')};
    for (const auto& subject : hostile) {
      std::optional<errc> code;
      const rate_policy policy{.name = "p"};
      try {
        co_await limits.take(policy, subject);
      } catch (const failure& e) {
        code = e.code();
      }
      EXPECT_EQ(code, errc::invalid_argument) << subject;
    }
  });
}

// A client that never connects is one whose Redis is away.
TEST(rate_limits_outage, the_policy_says_what_happens_without_redis) {
  asio::io_context io{1};
  redis::client gone(io, testing::shared_redis().config(), "never connected");
  rate_limiter limits(gone);
  testing::run(io, [&]() -> awaitable<void> {
    const rate_policy local{.name = "local", .rate_per_s = 0.01, .burst = 2};
    auto open = local;
    open.on_outage = rate_outage::open;
    auto closed = local;
    closed.on_outage = rate_outage::closed;
    EXPECT_TRUE((co_await limits.take(local, "a")).allowed);
    EXPECT_TRUE((co_await limits.take(local, "a")).allowed);
    EXPECT_FALSE((co_await limits.take(local, "a")).allowed);
    EXPECT_TRUE((co_await limits.take(open, "b", 2)).allowed);
    EXPECT_TRUE((co_await limits.take(open, "b", 2)).allowed);
    EXPECT_FALSE((co_await limits.take(closed, "c")).allowed);
  });
}

}  // namespace
}  // namespace skirmish
