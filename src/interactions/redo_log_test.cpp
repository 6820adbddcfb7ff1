#include "interactions/redo_log.hpp"

#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

TEST(redo_log, keeps_what_is_not_released) {
  redo_log log;
  const std::chrono::steady_clock::time_point start{};
  for (std::uint64_t n = 5; n < 9; ++n)
    log.push(n, {{"arguments"}}, start + std::chrono::seconds(n));
  EXPECT_EQ(log.oldest()->kept_at, start + std::chrono::seconds(5));
  EXPECT_EQ(log.bytes(), 4 * 9);
  log.release(6);
  EXPECT_EQ(log.find(6), nullptr);
  ASSERT_NE(log.find(7), nullptr);
  EXPECT_EQ(log.find(7)->number, 7U);
  log.renew(7, start + std::chrono::seconds(50));
  log.renew(6, start + std::chrono::seconds(50));
  EXPECT_EQ(log.oldest()->kept_at, start + std::chrono::seconds(50));
  EXPECT_EQ(log.find(8)->kept_at, start + std::chrono::seconds(8));
  EXPECT_EQ(log.find(9), nullptr);
  log.release(100);
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(log.oldest(), nullptr);
  EXPECT_EQ(log.bytes(), 0U);
}

TEST(redo_log, knows_when_everything_is_written) {
  EXPECT_TRUE(says_written("aof_enabled:0\r\n"));
  EXPECT_TRUE(says_written("aof_enabled:1\r\naof_buffer_length:77\r\naof_pending_bio_fsync:0\r\n"));
  EXPECT_TRUE(says_written("aof_enabled:1\r\naof_buffer_length:0\r\naof_pending_bio_fsync:1\r\n"));
  EXPECT_FALSE(says_written("aof_enabled:1\r\naof_buffer_length:7\r\naof_pending_bio_fsync:1\r\n"));
}

}  // namespace
}  // namespace skirmish::interactions
