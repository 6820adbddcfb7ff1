#include "tasks/worker/held_jobs.hpp"

#include "testing/worker_parts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::call_of;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class held : public ::testing::Test {
 protected:
  job_ptr make(std::string id, const char* task = "add") {
    return testing::job_of(context, call_of(task, std::move(id)));
  }
  static std::vector<std::string> ids(const std::vector<job_ptr>& jobs) {
    std::vector<std::string> out;
    for (const auto& j : jobs) out.emplace_back(j->m.id);
    return out;
  }

  asio::io_context io{1};
  testing::app_with_tasks app;
  worker_context context{app.internals(), io, testing::part_config()};
  held_jobs jobs;
  const held_jobs::clock::time_point start = held_jobs::clock::now();
};

TEST_F(held, a_job_occupies_a_slot_from_its_start_until_its_end_is_written) {
  const auto j = make("a");
  jobs.make_ready(j);
  EXPECT_EQ(jobs.count(job_stage::ready), 1U);
  EXPECT_EQ(jobs.occupied(), 0U);
  ASSERT_EQ(jobs.take_ready(), j);
  EXPECT_EQ(jobs.take_ready(), nullptr);
  EXPECT_TRUE(jobs.all_written());
  jobs.start(j);
  EXPECT_EQ(j->stage, job_stage::starting);
  jobs.run(j);
  EXPECT_EQ(jobs.count(job_stage::running), 1U);
  jobs.end(j);
  EXPECT_EQ(jobs.count(job_stage::running), 0U);
  EXPECT_EQ(jobs.occupied(), 1U);
  ASSERT_EQ(jobs.take_ended(), j);
  EXPECT_FALSE(jobs.all_written());
  jobs.forget(j);
  EXPECT_EQ(jobs.occupied(), 0U);
  EXPECT_EQ(j->stage, job_stage::released);
  EXPECT_TRUE(jobs.all_written());
}

TEST_F(held, a_job_that_was_lost_to_another_worker_is_forgotten) {
  const auto j = make("a");
  jobs.start(j);
  jobs.forget(j);
  EXPECT_EQ(jobs.occupied(), 0U);
  EXPECT_EQ(jobs.count(job_stage::starting), 0U);
}

TEST_F(held, jobs_become_ready_or_return_when_their_time_has_come) {
  jobs.delay(make("eta"), start + 2s);
  jobs.rate_limit(make("rate"), start + 1s);
  jobs.return_at(make("back"), start + 1s);
  EXPECT_EQ(jobs.next_due(), start + 1s);
  EXPECT_THAT(ids(jobs.waiting()), ElementsAre("rate", "eta"));
  EXPECT_TRUE(jobs.release_due(start + 999ms).empty());
  EXPECT_THAT(ids(jobs.release_due(start + 1s)), ElementsAre("back"));
  EXPECT_EQ(jobs.count(job_stage::ready), 1U);
  EXPECT_EQ(jobs.count(job_stage::rate_limited), 0U);
  EXPECT_EQ(jobs.count(job_stage::returning), 0U);
  EXPECT_TRUE(jobs.release_due(start + 2s).empty());
  EXPECT_EQ(jobs.take_ready()->m.id, "rate");
  EXPECT_EQ(jobs.take_ready()->m.id, "eta");
  EXPECT_FALSE(jobs.next_due());
}

TEST_F(held, leases_are_renewed_by_age_in_every_stage_but_of_what_is_acknowledged) {
  jobs.make_ready(make("ready"));
  jobs.delay(make("delayed"), start + 1h);
  jobs.schedule(make("far"));
  jobs.hold_unknown(make("unknown"));
  const auto late = make("late", "late"), early = make("early"), fresh = make("fresh");
  early->acknowledged = true;
  fresh->leased_s = 1000;
  for (const auto& j : {late, early, fresh}) jobs.start(j);
  EXPECT_THAT(
      jobs.renew_leases(1010, 60),
      UnorderedElementsAre("tag-ready", "tag-delayed", "tag-far", "tag-unknown", "tag-late"));
  EXPECT_TRUE(jobs.renew_leases(1059, 60).empty());
  EXPECT_THAT(jobs.renew_leases(1060, 60), ElementsAre("tag-fresh"));
}

TEST_F(held, a_shutdown_takes_what_has_not_started_in_the_order_of_serving) {
  jobs.return_at(make("returning"), start + 1s);
  jobs.hold_unknown(make("unknown"));
  jobs.make_ready(make("first"));
  jobs.make_ready(make("second"));
  const auto given_up = make("given up"), running = make("running");
  jobs.start(given_up);
  jobs.start(running);
  jobs.give_up(given_up);
  EXPECT_THAT(ids(jobs.take_unstarted()),
              ElementsAre("first", "second", "returning", "unknown", "given up"));
  EXPECT_TRUE(jobs.take_unstarted().empty());
  EXPECT_THAT(ids(jobs.started()), ElementsAre("running"));
}

TEST_F(held, ended_jobs_and_dead_letters_wait_to_be_written) {
  jobs.end(make("a"));
  jobs.end(make("b"));
  jobs.dead_letter(make("c"), "no reason");
  EXPECT_FALSE(jobs.all_written());
  EXPECT_EQ(jobs.take_ended()->m.id, "a");
  EXPECT_EQ(jobs.take_ended()->m.id, "b");
  const auto dead = jobs.take(job_stage::dead_letter, 10);
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0]->dead_letter_reason, "no reason");
  EXPECT_TRUE(jobs.all_written());
}

}  // namespace
}  // namespace skirmish::tasks
