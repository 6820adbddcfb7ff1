#include "tasks/admin/known_workers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class workers_that_are_known : public ::testing::Test {
 protected:
  void see(const char* node, const char* instance, wall_time beat) {
    known.see_registered({json_object{{"node", node},
                                      {"instance", instance},
                                      {"last_heartbeat", to_iso(beat)},
                                      {"queues", json_array{json("mail")}}}},
                         now);
  }
  void pass(std::chrono::seconds time) { now += time; }
  // "node state" of each.
  std::vector<std::string> listed() {
    std::vector<std::string> out;
    for (const auto& item : known.list())
      out.push_back(std::string(item.at("node").as_string()) + " " +
                    std::string(item.at("state").as_string()));
    return out;
  }

  wall_time now{std::chrono::microseconds{1'800'000'000'000'000}};
  known_workers known;
};

TEST_F(workers_that_are_known, one_that_falls_silent_is_lost_for_an_hour_and_then_gone) {
  see("a@h", "i1", now);
  EXPECT_THAT(known.update(now).lost, IsEmpty());
  EXPECT_EQ(known.consumers()["mail"], 1);
  pass(16s);
  const auto changed = known.update(now);
  ASSERT_EQ(changed.lost.size(), 1U);
  EXPECT_EQ(changed.lost[0].at("node"), json("a@h"));
  EXPECT_THAT(listed(), ElementsAre("a@h lost"));
  EXPECT_TRUE(known.consumers().empty());
  pass(3599s);
  known.update(now);
  EXPECT_THAT(listed(), ElementsAre("a@h lost"));
  pass(2s);
  known.update(now);
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(workers_that_are_known, one_that_says_farewell_is_gone_at_once) {
  see("a@h", "i1", now);
  known.hear_farewell("a@h");
  known.hear_farewell("never@heard");
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(workers_that_are_known, a_heartbeat_keeps_a_python_worker_and_tells_about_it) {
  for (int i = 0; i < 10; ++i) {
    known.hear("py@h",
               {{"active", 2}, {"processed", 70 + i}, {"sw_ident", "py-celery"}, {"sw_ver", "5.6"}},
               now);
    EXPECT_THAT(known.update(now).lost, IsEmpty());
    pass(10s);
  }
  const auto item = known.list().at(0).as_object();
  EXPECT_EQ(item.at("kind"), json("celery"));
  EXPECT_EQ(item.at("processed"), json(79));
  EXPECT_EQ(item.at("software"), json("py-celery 5.6"));
}

TEST_F(workers_that_are_known, an_answer_names_its_queues) {
  known.see_answer("py@h", json_array{json_object{{"name", "celery"}}}, now);
  known.see_answer("odd@h", json_object{{"ok", "pong"}}, now);
  EXPECT_THAT(known.served_queues(), ElementsAre("celery"));
  EXPECT_THAT(listed(), ElementsAre("odd@h online", "py@h online"));
}

TEST_F(workers_that_are_known, one_that_was_heard_before_it_was_seen_is_listed_once) {
  known.hear("a@h", {{"active", 1}}, now);
  see("a@h", "i1", now);
  known.hear("a@h", {{"active", 3}}, now);
  EXPECT_THAT(listed(), ElementsAre("a@h online"));
  EXPECT_EQ(known.list().at(0).at("active"), json(3));
  EXPECT_EQ(known.list().at(0).at("kind"), json("skirmish"));
}

TEST_F(workers_that_are_known, one_that_comes_back_under_its_name_is_not_missed) {
  see("a@h", "i1", now);
  pass(16s);
  known.update(now);
  see("a@h", "i2", now);
  known.update(now);
  EXPECT_THAT(listed(), ElementsAre("a@h online"));
}

TEST_F(workers_that_are_known, lost_ones_are_restored_and_make_room) {
  see("a@h", "i1", now);
  pass(16s);
  const auto changed = known.update(now);
  known_workers other;
  other.restore(changed.lost.at(0));
  other.update(now);
  EXPECT_EQ(other.list().at(0).at("state"), json("lost"));
  for (std::size_t i = 0; i < known_workers::limit_workers + 10; ++i)
    other.hear("w" + std::to_string(i), {}, now);
  EXPECT_EQ(other.list().size(), known_workers::limit_workers);
  other.update(now);
  EXPECT_NE(other.list().at(0).at("node"), json("a@h"));
}

}  // namespace
}  // namespace skirmish::tasks
