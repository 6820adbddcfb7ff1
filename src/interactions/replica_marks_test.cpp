#include "interactions/replica_marks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(replica_marks, offsets_are_read_from_what_a_master_says) {
  const auto state = read_replication(
      "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n"
      "slave0:ip=127.0.0.1,port=7001,state=online,offset=100,lag=0\r\n"
      "slave1:ip=127.0.0.1,port=7002,state=wait_bgsave,offset=0,lag=0\r\n"
      "slave2:ip=127.0.0.1,port=7003,state=online,offset=90,lag=1\r\n"
      "master_replid:8371445ee47d\r\nmaster_repl_offset:120\r\nsecond_repl_offset:-1\r\n");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->offset, 120);
  EXPECT_THAT(state->replicas, ElementsAre(100, 90));
  EXPECT_FALSE(read_replication("role:slave\r\nmaster_repl_offset:120\r\n"));
  EXPECT_FALSE(read_replication(""));
  EXPECT_THAT(read_replication("role:master\r\n")->replicas, IsEmpty());
}

TEST(replica_marks, commits_are_replicated_when_enough_replicas_have_passed_their_place) {
  replica_marks marks;
  EXPECT_EQ(marks.note(5, {100, {90, 50}}, 1), 0U);
  EXPECT_EQ(marks.note(9, {200, {100, 50}}, 1), 5U);
  EXPECT_EQ(marks.note(9, {250, {199, 50}}, 1), 0U);
  EXPECT_EQ(marks.note(12, {300, {200, 50}}, 1), 9U);
  EXPECT_EQ(marks.note(12, {400, {500, 299}}, 2), 0U);
  EXPECT_EQ(marks.note(12, {400, {500, 300}}, 2), 12U);
  EXPECT_EQ(marks.note(13, {500, {}}, 1), 0U);
}

// What came in between (other writers, the question to the replicas) moves the end of the stream.
TEST(replica_marks, a_commit_keeps_the_place_where_it_was_seen_first) {
  replica_marks marks;
  EXPECT_EQ(marks.note(5, {100, {0}}, 1), 0U);
  EXPECT_EQ(marks.note(5, {10'000, {0}}, 1), 0U);
  EXPECT_EQ(marks.note(5, {10'000, {100}}, 1), 5U);
}

TEST(replica_marks, are_bounded) {
  replica_marks marks;
  for (std::int64_t n = 1; n <= 100'000; ++n)
    EXPECT_EQ(marks.note(static_cast<std::uint64_t>(n), {n, {0}}, 1), 0U);
  EXPECT_EQ(marks.note(100'000, {100'000, {100'000}}, 1), 100'000U);
}

TEST(replica_marks, another_server_begins_anew) {
  replica_marks marks;
  marks.note(5, {100, {0}}, 1);
  marks.clear();
  EXPECT_EQ(marks.note(6, {1'000, {500}}, 1), 0U);
}

}  // namespace
}  // namespace skirmish::interactions
