#include "core/repeat.hpp"

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/event.hpp"
#include "core/recent_warnings.hpp"
#include "core/run_loop.hpp"
#include "core/task_group.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

class repeat_test : public ::testing::Test {
 protected:
  void start() {
    tasks_.spawn("loop", [this]() -> awaitable<void> {
      const auto work = [this] { return round(); };
      co_await repeat_every(how_, work);
    });
    poll();
  }
  awaitable<void> round() {
    rounds_.push_back(steady::now());
    if (fails_) throw failure(errc::unavailable, "away");
    if (breaks_) throw std::runtime_error("a defect");
    co_return;
  }
  void poll() {
    io_.restart();
    io_.poll();
  }
  void run_until_rounds(std::size_t count) {
    io_.restart();
    while (rounds_.size() < count && io_.run_one_for(30s) > 0) {
    }
    EXPECT_GE(rounds_.size(), count);
  }

  event_loop io_{1};
  event wake_{io_};
  task_group tasks_{io_};
  repeat how_{.interval = 1h, .failed = "round_failed"};
  std::vector<steady::time_point> rounds_;
  bool fails_ = false;
  bool breaks_ = false;
};

TEST(next_tick, is_the_next_multiple) {
  const auto at = [](auto ms) { return steady::time_point{ms}; };
  EXPECT_EQ(next_tick(at(1ms), 500ms), at(500ms));
  EXPECT_EQ(next_tick(at(499ms), 500ms), at(500ms));
  EXPECT_EQ(next_tick(at(500ms), 500ms), at(1'000ms));
  EXPECT_EQ(next_tick(at(500ms) - 1ns, 500ms), at(500ms));
  EXPECT_EQ(next_tick(at(7ms), 0ms), at(7ms));
}

TEST_F(repeat_test, begins_at_once_and_then_at_ticks) {
  how_.interval = 20ms;
  start();
  EXPECT_EQ(rounds_.size(), 1U);
  run_until_rounds(3);
  // Never before its tick, however late.
  EXPECT_GE(rounds_[1], next_tick(rounds_[0], 20ms));
  EXPECT_GE(rounds_[2], next_tick(rounds_[1], 20ms));
}

TEST_F(repeat_test, may_count_from_the_end_of_a_round) {
  how_.interval = 20ms;
  how_.counts_from_end = true;
  start();
  run_until_rounds(3);
  EXPECT_GE(rounds_[1], rounds_[0] + 20ms);
  EXPECT_GE(rounds_[2], rounds_[1] + 20ms);
}

TEST_F(repeat_test, may_pause_first) {
  how_.interval = 20ms;
  how_.pauses_first = true;
  start();
  EXPECT_TRUE(rounds_.empty());
  run_until_rounds(1);
}

TEST_F(repeat_test, is_woken_from_its_pause) {
  how_.wake = &wake_;
  start();
  EXPECT_EQ(rounds_.size(), 1U);
  wake_.set();
  poll();
  EXPECT_EQ(rounds_.size(), 2U);
}

TEST_F(repeat_test, does_nothing_while_it_is_idle_until_it_is_woken) {
  bool is_idle = true;
  how_.interval = 1ms;
  how_.wake = &wake_;
  how_.is_idle = [&] { return is_idle; };
  start();
  io_.restart();
  io_.run_for(50ms);  // longer than many intervals
  EXPECT_EQ(rounds_.size(), 1U);
  is_idle = false;
  wake_.set();
  run_until_rounds(3);
}

TEST_F(repeat_test, goes_on_after_a_failure_and_warns_once_per_outage) {
  how_.wake = &wake_;
  how_.level = log::level::warn;
  how_.failed = "repeat_test_failed";
  const auto warnings = [] {
    const auto now = system_clock{}.now();
    int count = 0;
    for (const auto& w : log::warnings_of_process().list(now, 500))
      if (w.event == "repeat_test_failed") count += static_cast<int>(w.count);
    return count;
  };
  const auto next_round = [&] {
    wake_.set();
    poll();
  };
  fails_ = true;
  start();
  next_round();
  next_round();
  EXPECT_EQ(rounds_.size(), 3U);
  EXPECT_EQ(warnings(), 1);
  fails_ = false;
  next_round();
  fails_ = true;
  next_round();
  EXPECT_EQ(warnings(), 2);
}

TEST_F(repeat_test, ends_with_a_defect) {
  breaks_ = true;
  start();
  EXPECT_EQ(rounds_.size(), 1U);
  EXPECT_EQ(tasks_.size(), 0U);
}

TEST_F(repeat_test, ends_when_it_is_cancelled) {
  start();
  EXPECT_EQ(tasks_.size(), 1U);
  tasks_.close();
  poll();
  EXPECT_EQ(tasks_.size(), 0U);
}

}  // namespace
}  // namespace skirmish
