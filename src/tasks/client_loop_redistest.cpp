// Callers of any thread get their own answers, in order, and nobody waits for somebody else.
#include "tasks/client_loop.hpp"

#include "support/tasks_fixture.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include <stdexcept>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::becomes_true;

class loop_of_client : public testing::tasks_fixture {
 protected:
  client_loop& loop() { return app.internals().client(); }

  std::int64_t increment() { return command("INCR", "counted").as_integer().value_or(-1); }
};

TEST_F(loop_of_client, a_caller_gets_its_answers_in_order_in_bursts_and_after_pauses) {
  std::int64_t counted = 0;
  for (const int burst : {1, 50, 500, 1, 50}) {
    for (int i = 0; i < burst; ++i) ASSERT_EQ(increment(), ++counted);
    // Work that nobody waits for is done between the bursts, too.
    std::atomic<bool> done{false};
    asio::post(loop().io(), [&] { done = true; });
    ASSERT_TRUE(becomes_true([&] { return done.load(); }));
  }
}

TEST_F(loop_of_client, many_callers_at_once) {
  constexpr int callers = 4, each = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t)
    threads.emplace_back([&, t] {
      std::int64_t last = 0;
      for (int i = 0; i < each; ++i) {
        const auto now = increment();
        EXPECT_GT(now, last) << "an answer of another call";
        last = now;
        // One after the other they pause, so that they meet in every way.
        if (i % 100 == t * 20) std::this_thread::yield();
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(increment(), callers * each + 1);
}

TEST_F(loop_of_client, a_long_wait_holds_nobody_up) {
  for (int i = 0; i < 100; ++i) increment();
  std::atomic<bool> waits{false}, sent{false};
  std::thread other([&] {
    waits.wait(false);
    for (int i = 0; i < 100; ++i) increment();
    sent = true;
  });
  const auto wait = [&]() -> awaitable<bool> {
    waits = true;
    waits.notify_one();
    asio::steady_timer timer(loop().io());
    for (int i = 0; i < 3000 && !sent; ++i) {
      timer.expires_after(10ms);
      co_await timer.async_wait(use_awaitable);
    }
    co_return sent.load();
  };
  EXPECT_TRUE(loop().block(wait));
  other.join();
}

TEST_F(loop_of_client, exceptions_reach_the_caller) {
  const auto fails = []() -> awaitable<int> {
    throw std::runtime_error("as asked");
    co_return 0;
  };
  for (int i = 0; i < 100; ++i) {
    EXPECT_THROW(loop().block(fails), std::runtime_error);
    increment();
  }
  EXPECT_EQ(increment(), 101);
}

}  // namespace
}  // namespace skirmish::tasks
