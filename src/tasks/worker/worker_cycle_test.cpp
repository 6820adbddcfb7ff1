// What fetched messages become, and what a cycle writes of jobs that end.
#include "tasks/worker/worker_cycle.hpp"

#include "tasks/protocol/wall_time.hpp"
#include "tasks/worker/receiver.hpp"
#include "tasks/worker/revocations.hpp"
#include "testing/worker_parts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::call_of;
using ::testing::ElementsAre;
using testing::envelope_of;
using ::testing::HasSubstr;

class cycle_of_jobs : public ::testing::Test {
 protected:
  job_ptr ended(const char* task, job_outcome how) {
    auto j = testing::job_of(context, call_of(task, "id"));
    j->ended = how;
    j->acknowledged = !j->acks_late;
    return j;
  }
  const key_names& keys() const { return context.keys(); }

  asio::io_context io{1};
  testing::app_with_tasks app;
  worker_context context{app.internals(), io, testing::part_config()};
  worker_cycle cycle;
};

TEST_F(cycle_of_jobs, an_early_job_is_acknowledged_by_its_start_and_a_late_one_by_its_end) {
  auto early = ended("add", job_outcome::success), late = ended("late", job_outcome::success);
  cycle.add_start(early);
  cycle.add_start(late);
  EXPECT_EQ(cycle.starts(), 2U);
  EXPECT_EQ(cycle.start_at(0), early);
  EXPECT_EQ(cycle.start_at(1), late);
  EXPECT_THAT(cycle.early.at(0).record, HasSubstr("\"id\""));
  worker_cycle next;
  EXPECT_TRUE(next.empty());
  next.add_ended(*early, keys());
  EXPECT_TRUE(next.acks.empty());
  next.add_ended(*late, keys());
  EXPECT_THAT(next.acks, ElementsAre("tag-id"));
  EXPECT_THAT(next.ended_starts, ElementsAre("tag-id", "tag-id"));
}

TEST_F(cycle_of_jobs, nothing_is_recorded_of_a_start_that_nobody_waits_for) {
  auto m = call_of("add", "id");
  m.ignore_result = true;
  const auto j = testing::job_of(context, m);
  cycle.add_start(j);
  EXPECT_EQ(cycle.early.at(0).record, "");
  EXPECT_FALSE(j->start_recorded);
}

TEST_F(cycle_of_jobs, a_requeued_job_goes_to_the_end_of_its_queue) {
  cycle.add_ended(*ended("late", job_outcome::requeued), keys());
  ASSERT_EQ(cycle.put_back.size(), 4U);
  EXPECT_EQ(cycle.put_back[1], "last");
  EXPECT_EQ(cycle.put_back[2], "q");
  cycle.add_ended(*ended("add", job_outcome::requeued), keys());
  ASSERT_EQ(cycle.pushes.size(), 1U);
  EXPECT_EQ(cycle.pushes[0].list, "q");
  EXPECT_TRUE(cycle.acks.empty());
}

TEST_F(cycle_of_jobs, a_rejected_job_becomes_a_dead_letter_while_it_is_held) {
  auto j = ended("late", job_outcome::rejected);
  j->problem = make_failure("Reject", "no");
  cycle.add_ended(*j, keys());
  ASSERT_EQ(cycle.put_back.size(), 4U);
  EXPECT_EQ(cycle.put_back[1], "dead");
  EXPECT_THAT(cycle.put_back[3], HasSubstr("rejected: Reject('no')"));
  EXPECT_THAT(cycle.put_back[3], HasSubstr("part@test"));
}

TEST_F(cycle_of_jobs, the_last_failure_leaves_a_dead_letter) {
  auto j = ended("late", job_outcome::failure);
  j->m.dead_letter_after = 2;
  cycle.add_ended(*j, keys());
  EXPECT_TRUE(cycle.pushes.empty());
  j->m.retries = 1;
  cycle.add_ended(*j, keys());
  ASSERT_EQ(cycle.pushes.size(), 1U);
  EXPECT_EQ(cycle.pushes[0].list, "skirmish:tasks:dead");
  EXPECT_THAT(cycle.pushes[0].envelope, HasSubstr("failed 2 times"));
}

TEST_F(cycle_of_jobs, results_stand_in_the_pipeline_only_when_they_share_its_redis) {
  auto j = ended("late", job_outcome::success);
  j->document = "the document";
  cycle.add_ended(*j, keys());
  EXPECT_EQ(cycle.document_bytes, j->document.size() + 12);
  const cycle_identity identity{keys(), "running", "worker", 7, 60};
  EXPECT_THAT(std::string(cycle_commands(cycle, identity, true).payload()),
              HasSubstr("the document"));
  EXPECT_THAT(std::string(cycle_commands(cycle, identity, false).payload()),
              ::testing::Not(HasSubstr("the document")));
}

TEST_F(cycle_of_jobs, writes_of_others_go_with_the_next_cycle_once) {
  context.pending.add_result("key", "document");
  context.pending.add_delete("gone");
  context.pending.move_to(cycle);
  EXPECT_THAT(cycle.results, ElementsAre(std::pair("key", "document")));
  EXPECT_THAT(cycle.deletes, ElementsAre("gone"));
  worker_cycle next;
  context.pending.move_to(next);
  EXPECT_TRUE(next.empty());
}

// ---- the receiver ----

class received : public cycle_of_jobs {
 protected:
  void receive(const outgoing& m) { receiver_.receive(envelope_of(m), "tag", "q"); }
  std::size_t count(job_stage stage) const { return held.count(stage); }

  held_jobs held;
  std::vector<job_ptr> unknown;
  receiver receiver_{context, held, [this](job_ptr j) { unknown.push_back(std::move(j)); }};
};

TEST_F(received, messages_are_placed_by_their_eta) {
  receive(call_of("add", "now"));
  EXPECT_EQ(count(job_stage::ready), 1U);
  auto m = call_of("add", "soon");
  m.eta = wall_now() + 1s;
  receive(m);
  EXPECT_EQ(count(job_stage::delayed), 1U);
  m.eta = wall_now() + 1h;
  receive(m);
  EXPECT_EQ(count(job_stage::scheduling), 1U);
  m.eta = wall_now() - 1s;
  receive(m);
  EXPECT_EQ(count(job_stage::ready), 2U);
}

TEST_F(received, an_expired_message_ends_as_revoked) {
  auto m = call_of("late", "old");
  m.expires = wall_now() - 1s;
  receive(m);
  const auto j = held.take_ended();
  ASSERT_TRUE(j);
  EXPECT_EQ(j->ended, job_outcome::revoked);
  EXPECT_THAT(j->document, HasSubstr("expired"));
}

TEST_F(received, a_message_of_an_unregistered_task_is_unknown) {
  receive(call_of("other.task", "a"));
  ASSERT_EQ(unknown.size(), 1U);
  EXPECT_EQ(unknown[0]->m.tag, "tag");
}

TEST_F(received, what_cannot_be_read_is_a_dead_letter) {
  receiver_.receive("{}", "tag", "q");
  EXPECT_EQ(count(job_stage::dead_letter), 1U);
  EXPECT_EQ(context.metrics.totals().dead_lettered.load(), 1U);
}

TEST_F(received, a_message_with_which_too_many_workers_died_is_a_dead_letter) {
  envelope_edit edit;
  edit.restored = 2;
  const auto raw = envelope_of(call_of("add", "a"));
  receiver_.receive(edit_envelope(raw, edit).value(), "tag", "q");
  EXPECT_EQ(count(job_stage::ready), 1U);
  edit.restored = 3;
  receiver_.receive(edit_envelope(raw, edit).value(), "tag", "q");
  const auto dead = held.take(job_stage::dead_letter);
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_THAT(dead[0]->dead_letter_reason, HasSubstr("3 workers died"));
  EXPECT_THAT(dead[0]->document, HasSubstr("WorkerLostError"));
}

// ---- revocations ----

TEST_F(received, a_job_is_revoked_by_its_id_or_by_a_stamp) {
  revocations revoked(context);
  const auto plain = testing::job_of(context, call_of("add", "a"));
  auto raw = envelope_of(call_of("add", "b"));
  const std::string none = R"("stamps": {})";
  raw.replace(raw.find(none), none.size(), R"("stamps": {"user": ["u1", "u2"], "order": 7})");
  const auto stamped = testing::job_of(context, raw);
  EXPECT_FALSE(revoked.is_revoked(*plain) || revoked.is_revoked(*stamped));
  revoked.add("a");
  EXPECT_TRUE(revoked.is_revoked(*plain));
  EXPECT_FALSE(revoked.is_revoked(*stamped));
  for (auto& id : stamp_ids({{"headers", {{"user", "u3"}}}})) revoked.add(id);
  EXPECT_FALSE(revoked.is_revoked(*stamped));
  for (auto& id : stamp_ids({{"headers", json_array{"order=7"}}})) revoked.add(id);
  EXPECT_TRUE(revoked.is_revoked(*stamped));
  EXPECT_TRUE(revoked.has_unsaved());
  EXPECT_THAT(revoked.latest_ids(10), ElementsAre("a"));
}

}  // namespace
}  // namespace skirmish::tasks
