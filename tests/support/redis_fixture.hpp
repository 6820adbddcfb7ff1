// The fixture of most Redis tests: an io_context and a connected client on the shared server,
// emptied.
//
//   TEST_F(redis_fixture, counts) {
//     run([this]() -> awaitable<void> {
//       EXPECT_EQ((co_await redis.command("INCR", "n")).as_integer(), 1);
//     });
//   }
#pragma once

#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "support/redis_server.hpp"
#include "support/run.hpp"

#include <gtest/gtest.h>

namespace skirmish::testing {

class redis_fixture : public ::testing::Test {
 protected:
  void SetUp() override {
    tasks.spawn("redis", [this] { return redis.run(); });
    run([this]() -> awaitable<void> {
      co_await redis.wait_connected(std::chrono::seconds(60));
      redis::checked(co_await redis.command("FLUSHALL"));
    });
  }

  void TearDown() override {
    redis.stop();
    tasks.close();
    bool ended = false;
    run([this, &ended]() -> awaitable<void> {
      ended = co_await tasks.wait(std::chrono::seconds(60));
    });
    EXPECT_TRUE(ended) << "a task did not end";
  }

  void run(const std::function<awaitable<void>()>& work,
           std::chrono::steady_clock::duration deadline = std::chrono::minutes(5)) {
    testing::run(io, work, deadline);
  }

  asio::io_context io{1};
  task_group tasks{io};
  redis::client redis{io, shared_redis().config(), "test"};
};

}  // namespace skirmish::testing
