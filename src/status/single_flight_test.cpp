#include "status/single_flight.hpp"

#include "core/event.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace skirmish::status {
namespace {

// Work that lasts until it is let go.
class single_flight_test : public ::testing::Test {
 protected:
  awaitable<void> work() {
    ++begun_;
    co_await gate_.wait();
    ++ended_;
  }

  void let_go() {
    gate_.set();
    poll();
  }

  void poll() {
    io_.restart();
    io_.poll();
  }

  void ask(std::function<awaitable<void>()> how) {
    asio::co_spawn(io_, std::move(how), [this](const std::exception_ptr&) { ++answered_; });
    poll();
  }

  asio::io_context io_{1};
  task_group tasks_{io_};
  event gate_{io_};
  int begun_ = 0;
  int ended_ = 0;
  int answered_ = 0;
  single_flight flight_{tasks_, "work", [this] { return work(); }};
};

TEST_F(single_flight_test, who_asks_meanwhile_waits_for_the_same) {
  for (int i = 0; i < 3; ++i) ask([this] { return flight_.join(); });
  EXPECT_EQ(begun_, 1);
  EXPECT_EQ(answered_, 0);
  let_go();
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(answered_, 3);
  EXPECT_FALSE(flight_.is_under_way());
}

TEST_F(single_flight_test, after_settling_all_share_one_that_begins_later) {
  ask([this] { return flight_.join(); });
  for (int i = 0; i < 2; ++i)
    ask([this]() -> awaitable<void> {
      co_await flight_.settle();
      co_await flight_.join();
    });
  EXPECT_EQ(begun_, 1);
  let_go();
  EXPECT_EQ(begun_, 2);
  EXPECT_EQ(answered_, 1);
  let_go();
  EXPECT_EQ(begun_, 2);
  EXPECT_EQ(answered_, 3);
}

TEST_F(single_flight_test, settling_does_not_wait_for_what_is_not_there) {
  ask([this] { return flight_.settle(); });
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(begun_, 0);
}

}  // namespace
}  // namespace skirmish::status
