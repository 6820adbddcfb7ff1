#include "tasks/admin/list_flow.hpp"

#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

class flow_of_a_list : public ::testing::Test {
 protected:
  // A look one second after the one before.
  void look(std::int64_t depth, std::optional<std::int64_t> pushed, std::int64_t taken = 0,
            bool is_wholly_searched = true) {
    now += 1s;
    list.add({now, depth, pushed, is_wholly_searched, taken});
  }

  list_flow::time_point now{1000s};
  list_flow list;
};

TEST_F(flow_of_a_list, nothing_is_known_after_one_look) {
  look(3, {});
  EXPECT_EQ(list.in_per_s(), std::nullopt);
  EXPECT_EQ(list.oldest_age_s(now), 0.0);
}

TEST_F(flow_of_a_list, an_empty_list_has_no_oldest_message) {
  look(0, {});
  look(0, {});
  EXPECT_EQ(list.oldest_age_s(now), std::nullopt);
  EXPECT_EQ(list.in_per_s(), 0.0);
  EXPECT_EQ(list.out_per_s(), 0.0);
}

TEST_F(flow_of_a_list, a_message_that_stays_grows_old) {
  look(0, {});
  look(1, {});
  for (int i = 0; i < 30; ++i) look(1, 0);
  EXPECT_EQ(list.oldest_age_s(now), 30.0);
}

TEST_F(flow_of_a_list, the_age_is_that_of_the_first_message_that_was_not_taken) {
  look(0, {});
  look(10, {});  // 10 came
  look(15, 5);   // 5 came
  look(7, 0);    // 8 left: of the first ten
  EXPECT_EQ(list.oldest_age_s(now), 2.0);
  look(4, 0);  // 3 left: the first ten are gone
  EXPECT_EQ(list.oldest_age_s(now), 2.0);
  EXPECT_EQ(list.in_per_s(), 15.0 / 4);
  EXPECT_EQ(list.out_per_s(), 11.0 / 4);
}

TEST_F(flow_of_a_list, when_the_newest_one_has_left_all_are_new) {
  look(5, {});
  for (int i = 0; i < 9; ++i) look(5, 0);
  look(2, {});
  EXPECT_EQ(list.oldest_age_s(now), 0.0);
  EXPECT_EQ(list.out_per_s(), 0.5);
  EXPECT_EQ(list.in_per_s(), 0.2);
}

TEST_F(flow_of_a_list, what_comes_and_goes_between_looks_counts_when_workers_counted_it) {
  look(0, {});
  look(0, {}, 700);
  look(0, {}, 300);
  EXPECT_EQ(list.in_per_s(), 500.0);
  EXPECT_EQ(list.out_per_s(), 500.0);
}

TEST_F(flow_of_a_list, a_newest_one_that_stands_too_deep_has_not_left) {
  look(1, {});
  look(50'000, {}, 100, false);
  EXPECT_EQ(list.oldest_age_s(now), 0.0);  // 100 were taken
  EXPECT_EQ(list.in_per_s(), 50'099.0);
  EXPECT_EQ(list.out_per_s(), 100.0);
}

TEST_F(flow_of_a_list, messages_that_are_put_back_are_pushes) {
  look(0, {});
  look(2, {});
  look(5, 0);
  EXPECT_EQ(list.out_per_s(), 0.0);
  EXPECT_EQ(list.in_per_s(), 2.5);
}

TEST_F(flow_of_a_list, its_memory_is_bounded_and_errs_on_the_old_side) {
  look(0, {});
  look(1, {});
  const auto first = now;
  for (int i = 0; i < 5'000; ++i) look(2 + i, 1);
  const auto true_age = std::chrono::duration<double>(now - first).count();
  EXPECT_EQ(list.oldest_age_s(now), true_age);
}

}  // namespace
}  // namespace skirmish::tasks
