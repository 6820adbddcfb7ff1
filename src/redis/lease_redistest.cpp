#include "redis/lease.hpp"

#include "support/redis_fixture.hpp"

#include <boost/asio/steady_timer.hpp>

namespace skirmish {
namespace {

using namespace std::chrono_literals;

class redis_lease : public testing::redis_fixture {};

TEST_F(redis_lease, one_holds_it_and_only_the_holder_gives_it_back) {
  run([this]() -> awaitable<void> {
    redis::lease mine(redis, "leader", 10s);
    redis::lease another(redis, "leader", 10s);
    EXPECT_TRUE(co_await mine.hold());
    EXPECT_TRUE(co_await mine.hold());  // renewed
    EXPECT_FALSE(co_await another.hold());

    co_await another.release();  // it has nothing to give back
    EXPECT_FALSE(co_await another.hold());
    co_await mine.release();
    EXPECT_TRUE(co_await another.hold());
  });
}

TEST_F(redis_lease, passes_on_when_it_is_not_renewed) {
  run([this]() -> awaitable<void> {
    redis::lease mine(redis, "leader", 50ms);
    redis::lease another(redis, "leader", 10s);
    EXPECT_TRUE(co_await mine.hold());
    bool is_passed_on = false;
    for (int i = 0; i < 500 && !is_passed_on; ++i) {
      asio::steady_timer pause(io, 10ms);
      co_await pause.async_wait(use_awaitable);
      is_passed_on = co_await another.hold();
    }
    EXPECT_TRUE(is_passed_on);
    EXPECT_FALSE(co_await mine.hold());
    co_await mine.release();  // too late: it is the other's now
    EXPECT_FALSE(co_await mine.hold());
  });
}

TEST_F(redis_lease, a_leader_that_is_cancelled_gives_it_back) {
  redis::lease mine(redis, "leader", 1h);
  redis::lease another(redis, "leader", 1h);
  int turns = 0;
  task_group leaders{io};
  const auto work = [&turns]() -> awaitable<bool> {
    ++turns;
    co_return false;
  };
  leaders.spawn("leader", [&] { return redis::run_led(redis, mine, 10ms, "test", work); });
  run([&]() -> awaitable<void> {
    co_await testing::eventually([&] { return turns >= 3; });
    EXPECT_FALSE(co_await another.hold());
    leaders.close();
    EXPECT_TRUE(co_await leaders.wait(10s));
    EXPECT_EQ((co_await redis.command("EXISTS", "leader")).as_integer(), 0);
    EXPECT_TRUE(co_await another.hold());
    // What it does not hold any more, it does not take away.
    co_await mine.give_back();
    EXPECT_EQ((co_await redis.command("GET", "leader")).as_string(), another.token());
  });
}

}  // namespace
}  // namespace skirmish
