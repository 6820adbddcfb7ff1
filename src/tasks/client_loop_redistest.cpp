// Who runs the client's loop, and that nobody waits for somebody else.
#include "tasks/client_loop.hpp"

#include "support/tasks_fixture.hpp"

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

  std::thread::id runner() {
    const auto who = []() -> awaitable<std::thread::id> { co_return std::this_thread::get_id(); };
    return loop().block(who);
  }
};

TEST_F(loop_of_client, a_caller_who_sends_on_and_on_runs_it) {
  // A slow machine may look like a pause.
  EXPECT_TRUE(becomes_true([&] {
    for (int i = 0; i < 50; ++i) increment();
    return runner() == std::this_thread::get_id();
  }));
  EXPECT_TRUE(becomes_true([&] {
    std::this_thread::sleep_for(20ms);
    return runner() != std::this_thread::get_id();
  }));
  const auto before = count("GET", "counted");
  for (std::int64_t i = 1; i <= 500; ++i) EXPECT_EQ(increment(), before + i);
}

TEST_F(loop_of_client, its_own_thread_goes_on_after_a_burst) {
  for (int i = 0; i < 100; ++i) increment();
  std::atomic<bool> done{false};
  asio::post(loop().io(), [&] { done = true; });
  EXPECT_TRUE(becomes_true([&] { return done.load(); }));
}

TEST_F(loop_of_client, many_callers_at_once) {
  constexpr int callers = 4, each = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        increment();
        // Alone for a moment, now and then.
        if (i % 100 == t * 20) std::this_thread::sleep_for(3ms);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(increment(), callers * each + 1);
}

TEST_F(loop_of_client, a_long_wait_holds_nobody_up) {
  for (int i = 0; i < 100; ++i) increment();
  std::atomic<bool> sent{false};
  std::thread other([&] {
    std::this_thread::sleep_for(5ms);
    for (int i = 0; i < 100; ++i) increment();
    sent = true;
  });
  const auto wait = [&]() -> awaitable<bool> {
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
