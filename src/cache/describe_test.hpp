// What the tests of the cache share: a thread of a server as far as caching goes, and a source.
#pragma once

#include "core/error.hpp"
#include "metrics/registry.hpp"
#include "skirmish/cache.hpp"
#include "support/redis_fixture.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace skirmish::cache_test {

using namespace std::chrono_literals;
using testing::eventually;
using testing::pause;

// A thread of a server as far as caching goes: io_context, connection, store.
struct node {
  explicit node(redis::connection_config where, std::shared_ptr<cache::flights> flights = nullptr,
                asio::io_context* shared_io = nullptr, cache::hooks hooks = {})
      : own_io(1),
        io(shared_io ? *shared_io : own_io),
        redis(io, std::move(where), "cache"),
        store(io, redis, tasks,
              {.space = {},
               .flights = std::move(flights),
               .metrics = &metrics,
               .time = &time,
               .hooks = std::move(hooks)}) {
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
  cache::store store;
};

// A source that counts and can fail, wait and change.
struct source {
  std::atomic<int> loads = 0;
  std::atomic<int> held_load = 0;  // this one (the first is 1) reads, and ends when it is let go
  std::atomic<bool> broken = false;
  std::atomic<int> delay_ms = 0;
  std::optional<cache::content> content = cache::content("v1");

  cache::loader loader() {
    return [this] { return load(); };
  }
  awaitable<std::optional<cache::content>> load() {
    const auto number = ++loads;
    auto read = content;
    while (held_load == number) co_await pause(1ms);
    if (delay_ms > 0) co_await pause(std::chrono::milliseconds(delay_ms.load()));
    if (broken) throw failure(errc::unavailable, "the source is down");
    co_return read;
  }
};

// After a failed load the source is left alone for 250 ms: so many loads there may be since then.
inline int loads_max(std::chrono::steady_clock::time_point begin) {
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

}  // namespace skirmish::cache_test
