#include "game_servers/log_states.hpp"

#include <gtest/gtest.h>

namespace skirmish::game_servers {
namespace {

TEST(log_states, belong_to_one_at_a_time_and_come_back) {
  log_states states(2);
  {
    auto mine = states.take("duel");
    ASSERT_TRUE(mine);
    (*mine)->parsed_to = 7;
    EXPECT_FALSE(states.take("duel")) << "somebody has it";
    EXPECT_TRUE(states.take("arena")) << "another one is nobody's";
  }
  auto again = states.take("duel");
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->parsed_to, 7U);
}

TEST(log_states, make_room_for_others) {
  log_states states(2);
  for (const auto* server : {"a", "b", "c"}) {
    auto mine = states.take(server);
    ASSERT_TRUE(mine) << server;
    (*mine)->parsed_to = 1;
  }
  auto b = states.take("b");
  ASSERT_TRUE(b);
  EXPECT_EQ((*b)->parsed_to, 1U);
  auto a = states.take("a");
  ASSERT_TRUE(a);
  EXPECT_EQ((*a)->parsed_to, 0U) << "it was silent for longest";
  EXPECT_FALSE(states.take("c")) << "both are in use";
}

TEST(log_record, keeps_the_two_newest_unfinished_lines) {
  log_record r;
  EXPECT_EQ(r.unfinished_at(0), "");
  r.keep_unfinished(10, "L 05");
  r.keep_unfinished(10, "L 05/01");
  EXPECT_EQ(r.unfinished_at(10), "L 05/01");
  r.keep_unfinished(90, "x");
  EXPECT_EQ(r.unfinished_at(10), "L 05/01") << "the commit behind it may not have been made";
  EXPECT_EQ(r.unfinished_at(90), "x");
  r.keep_unfinished(200, "y");
  EXPECT_EQ(r.unfinished_at(10), "");
}

}  // namespace
}  // namespace skirmish::game_servers
