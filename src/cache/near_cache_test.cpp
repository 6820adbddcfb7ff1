#include "cache/near_cache.hpp"

#include <gtest/gtest.h>

namespace skirmish::cache {
namespace {

using namespace std::chrono_literals;

class near_cache_fixture : public ::testing::Test {
 protected:
  bool keep(const std::string& key, std::string text, std::chrono::milliseconds life = 1min) {
    near_cache::reading reading(near, key);
    return reading.keep(entry(std::move(text), life));
  }
  near_cache::entry entry(std::string text, std::chrono::milliseconds life) {
    return {std::make_shared<const cache::content>(std::move(text)), time.now() + life,
            time.now() + life};
  }
  bool has(std::string_view key) { return near.find(key, time.now()) != nullptr; }

  manual_clock time;
  near_cache near{3, 10'000};
};

TEST_F(near_cache_fixture, the_least_recently_used_goes_first) {
  for (const auto* key : {"a", "b", "c"}) keep(key, "x");
  EXPECT_TRUE(has("a"));
  keep("d", "x");
  EXPECT_FALSE(has("b"));
  EXPECT_TRUE(has("a") && has("c") && has("d"));
  EXPECT_EQ(near.size(), 3U);
}

TEST_F(near_cache_fixture, is_bounded_in_bytes) {
  keep("a", std::string(4'000, 'x'));
  keep("b", std::string(4'000, 'x'));
  keep("c", std::string(4'000, 'x'));
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(has("b") && has("c"));
  keep("huge", std::string(20'000, 'x'));
  EXPECT_FALSE(has("huge"));
  EXPECT_TRUE(has("c"));
  EXPECT_LE(near.bytes(), 10'000U);
  near.clear();
  EXPECT_EQ(near.bytes(), 0U);
}

TEST_F(near_cache_fixture, replacing_does_not_leak_bytes) {
  keep("a", "x");
  const auto once = near.bytes();
  for (int i = 0; i < 10; ++i) keep("a", "y");
  EXPECT_EQ(near.bytes(), once);
  EXPECT_EQ(std::get<std::string>(*near.find("a", time.now())->value), "y");
}

TEST_F(near_cache_fixture, an_entry_ends_at_its_time) {
  keep("a", "x", 10s);
  time.advance(9'999ms);
  EXPECT_TRUE(has("a"));
  time.advance(1ms);
  EXPECT_FALSE(has("a"));
  EXPECT_EQ(near.size(), 0U);
}

TEST_F(near_cache_fixture, what_changed_while_it_was_read_is_not_kept) {
  near_cache::reading first(near, "a");
  near.invalidate("a");
  near_cache::reading second(near, "a");  // sent after the change: good
  EXPECT_FALSE(first.keep(entry("old", 1min)));
  EXPECT_TRUE(second.keep(entry("new", 1min)));
  EXPECT_TRUE(has("a"));
}

TEST_F(near_cache_fixture, a_flush_reaches_all_that_is_being_read) {
  near_cache::reading a(near, "a");
  near_cache::reading also_a(near, "a");
  near.clear();
  EXPECT_FALSE(a.keep(entry("x", 1min)));
  EXPECT_FALSE(also_a.keep(entry("x", 1min)));
}

}  // namespace
}  // namespace skirmish::cache
