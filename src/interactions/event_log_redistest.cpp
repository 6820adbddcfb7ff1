#include "interactions/event_log.hpp"

#include "support/redis_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class event_log_fixture : public testing::redis_fixture {
 protected:
  // A commit of so many events, each the next number.
  awaitable<void> commit(int events) {
    std::string lines;
    for (int i = 0; i < events; ++i) lines += fmt::format("{}\n", ++last);
    redis::checked(
        co_await redis.command("XADD", "interactions", "*", "n", events, "events", lines));
  }

  int last = 0;
  manual_clock time{
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
  redis::key_space keys;
  event_log log{redis, keys, time};
};

TEST_F(event_log_fixture, pages_of_any_size_hold_every_event_once_and_in_order) {
  run([&]() -> awaitable<void> {
    std::mt19937 dice(3);
    for (int i = 0; i < 60; ++i) co_await commit(static_cast<int>(dice() % 40));
    for (const std::size_t limit : {1, 7, 100, 1'000, 10'000}) {
      std::optional<log_cursor> at;
      int expected = 0;
      bool more = true;
      while (more) {
        const auto page = co_await log.read(at, limit);
        EXPECT_LE(page.events.size(), limit);
        EXPECT_FALSE(page.trimmed);
        for (const auto& e : page.events) EXPECT_EQ(e, std::to_string(++expected));
        at = page.last;
        more = page.more;
        EXPECT_TRUE(!more || page.events.size() == limit);
      }
      EXPECT_EQ(expected, last) << limit;
    }
  });
}

TEST_F(event_log_fixture, a_reader_at_the_end_goes_on_with_what_comes) {
  run([&]() -> awaitable<void> {
    auto page = co_await log.read(std::nullopt, 10);
    EXPECT_THAT(page.events, IsEmpty());
    EXPECT_FALSE(page.last.has_value());
    co_await commit(2);
    page = co_await log.read(page.last, 10);
    EXPECT_THAT(page.events, ElementsAre("1", "2"));
    const auto at = page.last;
    page = co_await log.read(at, 10);
    EXPECT_THAT(page.events, IsEmpty());
    EXPECT_EQ(page.last, at);
    co_await commit(1);
    page = co_await log.read(page.last, 10);
    EXPECT_THAT(page.events, ElementsAre("3"));
    EXPECT_FALSE(page.trimmed);
  });
}

TEST_F(event_log_fixture, a_reader_that_was_away_for_too_long_is_told) {
  run([&]() -> awaitable<void> {
    co_await commit(3);
    const auto page = co_await log.read(std::nullopt, 2);
    redis::checked(co_await redis.command("XTRIM", "interactions", "MAXLEN", 0));
    auto later = co_await log.read(page.last, 10);
    EXPECT_TRUE(later.trimmed);
    co_await commit(1);
    later = co_await log.read(page.last, 10);
    EXPECT_TRUE(later.trimmed);
    EXPECT_THAT(later.events, ElementsAre("4"));
    later = co_await log.read(later.last, 10);
    EXPECT_FALSE(later.trimmed);
  });
}

TEST_F(event_log_fixture, entries_go_when_they_are_old) {
  run([&]() -> awaitable<void> {
    for (int i = 0; i < 2'500; ++i) {
      redis::request some;
      for (int k = 0; k < 10; ++k) some.push("XADD", "interactions", "*", "n", 1, "events", "{}\n");
      redis::checked(co_await redis.exec(std::move(some)));
    }
    co_await log.trim(1h);
    EXPECT_EQ((co_await redis.command("XLEN", "interactions")).as_integer(), 25'000);
    time.advance(2h);
    co_await log.trim(1h);
    // Whole nodes of the stream go; what is left of one may stay.
    EXPECT_LT((co_await redis.command("XLEN", "interactions")).as_integer().value_or(0), 200);
  });
}

}  // namespace
}  // namespace skirmish::interactions
