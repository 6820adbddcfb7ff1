#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/log_flood.hpp"
#include "core/task_group.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

namespace skirmish {
namespace {

using namespace std::chrono_literals;

TEST(clock, rfc3339_round_trips) {
  const timestamp t{1'795'230'371'028ms};
  EXPECT_EQ(to_rfc3339(t), "2026-11-21T03:06:11.028Z");
  EXPECT_EQ(parse_rfc3339(to_rfc3339(t)), t);
}

TEST(clock, rfc3339_accepts_offsets_and_fractions) {
  const auto expected = parse_rfc3339("2026-11-21T03:06:11.028Z");
  EXPECT_EQ(parse_rfc3339("2026-11-21T04:06:11.028886+01:00"), expected);
  EXPECT_EQ(parse_rfc3339("2026-11-20t22:06:11.028-05:00"), expected);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), parse_rfc3339("2017-01-01T00:00:00Z"));
}

TEST(clock, rfc3339_refuses_everything_else) {
  for (const auto* bad :
       {"", "now", "2026-11-21", "2026-11-21T03:06:11", "2026-13-21T03:06:11Z",
        "2026-02-29T03:06:11Z", "2026-11-21T24:06:11Z", "2026-11-21T03:06:11.Z",
        "2026-11-21T03:06:11Zx", "0000-01-01T00:00:00Z", "2026-11-21T03:06:11+25:00",
        "2026-11-21T03:06:11+0100", "20-6-11-21T03:06:11Z"})
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
}

TEST(ids, valid_form) {
  EXPECT_TRUE(is_valid_id("STEAM_1:1:0101011"));
  EXPECT_TRUE(is_valid_id(std::string(64, 'a')));
  EXPECT_FALSE(is_valid_id(""));
  EXPECT_FALSE(is_valid_id(std::string(65, 'a')));
  EXPECT_FALSE(is_valid_id("a b"));
  EXPECT_FALSE(is_valid_id("\xC3\xA9"));
  EXPECT_FALSE(is_valid_id(std::string_view("a\0b", 3)));
}

TEST(ids, random_ones_differ) {
  EXPECT_EQ(random_hex(32).size(), 64U);
  EXPECT_NE(random_hex(32), random_hex(32));
  EXPECT_EQ(random_uuid().size(), 36U);
  EXPECT_EQ(random_uuid()[14], '4');
}

TEST(ids, sortable_ones_are_in_the_order_of_their_making) {
  const auto at = [](std::int64_t ms) { return timestamp{std::chrono::milliseconds{ms}}; };
  std::string last;
  for (const auto ms : {1'795'230'371'028, 1'795'230'371'029, 1'795'230'371'001}) {
    for (int i = 0; i < 1'000; ++i) {
      const auto id = sortable_id(at(ms));
      EXPECT_EQ(id.size(), 26U);
      EXPECT_TRUE(is_valid_id(id));
      EXPECT_LT(last, id) << "also when the clock goes back";
      last = id;
    }
  }
  // The time as the specification writes it: its example is 01ARYZ6S41 for 1469918176385.
  std::string of_another_thread;
  std::thread([&] { of_another_thread = sortable_id(at(1'469'918'176'385)); }).join();
  EXPECT_EQ(of_another_thread.substr(0, 10), "01ARYZ6S41");
}

TEST(ids, a_uuid_has_the_form_of_version_4) {
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const auto id = random_uuid();
    EXPECT_THAT(id, testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                          "[0-9a-f]{12}"));
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
}

// The first UUID that a child process makes; empty when something failed.
std::string uuid_of_child() {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const auto child = ::fork();
  if (child == 0) {
    const auto id = random_uuid();
    _exit(::write(ends[1], id.data(), id.size()) == static_cast<ssize_t>(id.size()) ? 0 : 1);
  }
  std::string id(36, ' ');
  ::close(ends[1]);
  const auto count = ::read(ends[0], id.data(), id.size());
  ::close(ends[0]);
  int status = 1;
  ::waitpid(child, &status, 0);
  return status == 0 && count == 36 ? id : std::string();
}

TEST(ids, children_of_one_process_make_different_ones) {
  static_cast<void>(random_uuid());  // the parent has drawn random bytes
  const auto first = uuid_of_child();
  const auto second = uuid_of_child();
  ASSERT_EQ(first.size(), 36U);
  EXPECT_NE(first, second);
  EXPECT_NE(first, random_uuid());
}

TEST(log, values_are_quoted_when_needed) {
  EXPECT_EQ(log::quote("plain"), "plain");
  EXPECT_EQ(log::quote(""), "\"\"");
  EXPECT_EQ(log::quote("a b\"c\n\x01"), "\"a b\\\"c\\n\\x01\"");
}

TEST(log, an_event_has_so_many_lines_per_second_and_the_rest_is_counted) {
  log::flood_guard guard;
  for (std::uint64_t i = 0; i < log::flood_guard::lines_per_second; ++i)
    EXPECT_EQ(guard.admit("request_failed", 7), 0U);
  EXPECT_EQ(guard.admit("request_failed", 7), std::nullopt);
  EXPECT_EQ(guard.admit("request_failed", 7), std::nullopt);
  EXPECT_EQ(guard.admit("listening", 7), 0U);
  EXPECT_EQ(guard.admit("request_failed", 8), 2U);
  EXPECT_EQ(guard.admit("request_failed", 8), 0U);
}

TEST(log, a_problem_that_lasts_is_said_once_in_ten_seconds_and_counted) {
  log::repeat_guard guard;
  EXPECT_EQ(guard.admit("commit_lost OOM", 100), 0U);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(guard.admit("commit_lost OOM", 100 + i), std::nullopt);
  EXPECT_EQ(guard.admit("commit_lost READONLY", 105), 0U);
  EXPECT_EQ(guard.admit("commit_lost OOM", 110), 7U);
  EXPECT_EQ(guard.admit("commit_lost OOM", 119), std::nullopt);
  EXPECT_EQ(guard.admit("commit_lost OOM", 500), 1U);
}

TEST(task_group, close_ends_what_runs_and_wait_sees_it) {
  asio::io_context io{1};
  task_group group{io};
  bool ended = false;
  group.spawn("sleeper", [&]() -> awaitable<void> {
    asio::steady_timer timer(io, 1h);
    error_code ec;
    co_await timer.async_wait(asio::redirect_error(use_awaitable, ec));
    ended = true;
  });
  bool waited = false;
  asio::co_spawn(
      io,
      [&]() -> awaitable<void> {
        EXPECT_FALSE(co_await group.wait(1ms));
        group.close();
        EXPECT_FALSE(group.spawn("late", []() -> awaitable<void> { co_return; }));
        waited = co_await group.wait(1s);
      },
      asio::detached);
  io.run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(waited);
}

TEST(task_group, an_exception_ends_only_its_task) {
  log::set_level(log::level::off);
  asio::io_context io{1};
  task_group group{io};
  group.spawn("thrower", []() -> awaitable<void> {
    throw std::runtime_error("boom");
    co_return;
  });
  group.spawn("strange thrower", []() -> awaitable<void> {
    throw 42;
    co_return;
  });
  io.run();
  EXPECT_EQ(group.size(), 0U);
  log::set_level(log::level::info);
}

TEST(task_group, work_that_is_kept_running_starts_again_after_whatever_it_throws) {
  log::set_level(log::level::off);
  asio::io_context io{1};
  task_group group{io};
  int starts = 0;
  group.keep_running("loop", [&]() -> awaitable<void> {
    if (++starts == 1) throw std::runtime_error("boom");
    if (starts == 2) throw 42;
    co_return;
  });
  io.run();
  EXPECT_EQ(starts, 3);
  EXPECT_EQ(group.size(), 0U);
  log::set_level(log::level::info);
}

TEST(task_group, a_task_that_outlives_its_group_does_not_touch_it) {
  asio::io_context io{1};
  bool ended = false;
  {
    task_group group{io};
    group.spawn("sleeper", [&]() -> awaitable<void> {
      asio::steady_timer timer(io, 1ms);
      co_await timer.async_wait(use_awaitable);
      ended = true;
    });
    io.poll();
  }
  io.restart();
  io.run();
  EXPECT_TRUE(ended);
}

TEST(task_group, work_that_is_kept_running_ends_with_the_group) {
  log::set_level(log::level::off);
  asio::io_context io{1};
  task_group group{io};
  group.keep_running("loop", [&]() -> awaitable<void> {
    asio::post(io, [&group] { group.close(); });
    throw std::runtime_error("boom");
    co_return;
  });
  io.run();
  EXPECT_EQ(group.size(), 0U);
  log::set_level(log::level::info);
}

}  // namespace
}  // namespace skirmish
