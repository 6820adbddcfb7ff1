#include "core/event.hpp"

#include "core/run_loop.hpp"
#include "core/task_group.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace skirmish {
namespace {

using namespace std::chrono_literals;

class event_test : public ::testing::Test {
 protected:
  void poll() {
    io_.restart();
    io_.poll();
  }
  // Runs until nothing waits any more.
  void finish() {
    io_.restart();
    io_.run_for(30s);
  }
  // Counts those who were woken.
  void wait() {
    tasks_.spawn("wait", [this]() -> awaitable<void> {
      co_await it_->wait();
      ++woken_;
    });
    poll();
  }
  void wait_for(std::chrono::milliseconds limit) {
    tasks_.spawn("wait_for", [this, limit]() -> awaitable<void> {
      const bool is_set = co_await it_->wait_for(limit);
      ++(is_set ? woken_ : expired_);
    });
    poll();
  }

  event_loop io_{1};
  std::unique_ptr<event> it_ = std::make_unique<event>(io_);
  task_group tasks_{io_};
  int woken_ = 0;
  int expired_ = 0;
};

TEST_F(event_test, wakes_all_who_wait_and_is_not_set_afterwards) {
  for (int i = 0; i < 3; ++i) wait();
  EXPECT_EQ(woken_, 0);
  it_->set();
  EXPECT_EQ(woken_, 0) << "nobody runs inside set()";
  poll();
  EXPECT_EQ(woken_, 3);
  wait();
  EXPECT_EQ(woken_, 3);
  it_->set();
  poll();
  EXPECT_EQ(woken_, 4);
}

TEST_F(event_test, remembers_one_set_for_the_next_wait) {
  it_->set();
  it_->set();
  wait();
  EXPECT_EQ(woken_, 1);
  wait();
  EXPECT_EQ(woken_, 1);
  it_->set();
  poll();
  EXPECT_EQ(woken_, 2);
}

TEST_F(event_test, a_wait_ends_at_its_own_deadline) {
  wait_for(1h);
  wait_for(1ms);
  io_.restart();
  while (expired_ == 0) io_.run_one_for(30s);
  EXPECT_EQ(woken_, 0);
  EXPECT_EQ(expired_, 1);
  it_->set();
  finish();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(expired_, 1);
}

// The timer has expired and its handler is queued when set() is called: cancelling comes too late.
TEST_F(event_test, a_set_at_the_deadline_is_not_lost) {
  bool is_set = false;
  const auto deadline = event::clock::now() + 20ms;
  asio::steady_timer first(io_, deadline - 1ms);
  first.async_wait([&](error_code) {
    // Both are due when the loop looks at its timers again: this one's handler comes before.
    while (event::clock::now() <= deadline) {
    }
  });
  asio::steady_timer second(io_, deadline - 1us);
  second.async_wait([&](error_code) { it_->set(); });
  tasks_.spawn("wait", [&]() -> awaitable<void> { is_set = co_await it_->wait_until(deadline); });
  finish();
  EXPECT_TRUE(is_set);
}

TEST_F(event_test, a_past_deadline_ends_a_wait_that_is_not_set) {
  wait_for(-1s);
  finish();
  EXPECT_EQ(expired_, 1);
  it_->set();
  wait_for(-1s);
  EXPECT_EQ(woken_, 1);
}

TEST_F(event_test, a_cancelled_coroutine_leaves_by_an_exception) {
  wait();
  tasks_.close();
  poll();
  EXPECT_EQ(tasks_.size(), 0U);
  EXPECT_EQ(woken_, 0);
  it_->set();  // nobody is there any more
}

TEST_F(event_test, a_coroutine_that_looks_for_itself_goes_on_after_a_cancellation) {
  std::optional<bool> is_set;
  tasks_.spawn("wait", [&]() -> awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    is_set = co_await it_->wait_for(1h);
  });
  poll();
  tasks_.close();
  poll();
  EXPECT_EQ(is_set, false);
}

TEST_F(event_test, who_waits_when_it_is_destroyed_does_not_touch_it) {
  error_code ec;
  tasks_.spawn("wait", [&]() -> awaitable<void> {
    try {
      co_await it_->wait();
    } catch (const boost::system::system_error& e) {
      ec = e.code();
    }
  });
  poll();
  it_.reset();
  poll();
  EXPECT_EQ(ec, asio::error::operation_aborted);
}

TEST_F(event_test, may_be_destroyed_by_whom_it_wakes) {
  tasks_.spawn("wait", [this]() -> awaitable<void> {
    co_await it_->wait();
    it_.reset();
  });
  poll();
  it_->set();
  poll();
  EXPECT_EQ(it_, nullptr);
  EXPECT_EQ(tasks_.size(), 0U);
}

TEST_F(event_test, a_loop_that_drops_its_coroutines_takes_them_out) {
  wait();
  io_.drop_waiting();
  it_->set();
  EXPECT_EQ(woken_, 0);
}

}  // namespace
}  // namespace skirmish
