// Runs of jobs and their limits; commands of remote control that need no Redis.
#include "tasks/worker/executor.hpp"

#include "tasks/worker/remote_control.hpp"
#include "testing/worker_parts.hpp"

#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::call_of;
using ::testing::HasSubstr;

class executing : public ::testing::Test {
 protected:
  executing() {
    testing::add_tasks(app);
    app.task("hang", [this](task_context& self) {
      ++hanging;
      const leaving count_at_end{left};
      while (!release) {
        self.check();
        std::this_thread::sleep_for(1ms);
      }
    });
    context.emplace(app.internals(), io, testing::part_config());
    runs.emplace(*context, held);
  }
  ~executing() override {
    // The threads use this fixture until they have left the task.
    release = true;
    EXPECT_TRUE(testing::comes_true([&] { return left == hanging; }));
    runs->stop(1s);
  }

  job_ptr start(const outgoing& m) {
    auto j = testing::job_of(*context, m);
    held.start(j);
    j->acknowledged = !j->acks_late;
    runs->start({j});
    return j;
  }
  bool ends(const job_ptr& j) {
    return testing::comes_true([&] {
      runs->spread();
      runs->collect();
      return j->stage == job_stage::ended;
    });
  }

  struct leaving {
    ~leaving() { ++counted; }
    std::atomic<int>& counted;
  };
  std::atomic<int> hanging{0}, left{0};
  std::atomic<bool> release{false};
  asio::io_context io{1};
  tasks::app app{"redis://127.0.0.1:1/0"};
  std::optional<worker_context> context;
  held_jobs held;
  std::optional<executor> runs;
};

TEST_F(executing, a_job_runs_and_is_collected) {
  const auto j = start(call_of("add", "a"));
  EXPECT_EQ(held.occupied(), 1U);
  ASSERT_TRUE(ends(j));
  EXPECT_EQ(j->ended, job_outcome::success);
  EXPECT_EQ(j->result_json, "3");
  EXPECT_GT(j->started_s, 0);
}

TEST_F(executing, a_hard_time_limit_ends_a_job_whose_function_goes_on) {
  auto m = call_of("hang", "a");
  m.args = {};
  m.hard_limit_s = 0.01;
  const auto j = start(m);
  ASSERT_TRUE(runs->next_limit());
  ASSERT_TRUE(testing::comes_true([&] {
    runs->enforce_limits();
    return j->stage == job_stage::ended;
  }));
  EXPECT_FALSE(runs->next_limit());
  EXPECT_EQ(j->ended, job_outcome::failure);
  EXPECT_EQ(j->problem.type, "TimeLimitExceeded");
  EXPECT_TRUE(j->is_aborted());
  EXPECT_THAT(j->document, HasSubstr("0.01"));
}

TEST_F(executing, a_soft_time_limit_is_told_to_the_function) {
  auto m = call_of("hang", "a");
  m.args = {};
  m.soft_limit_s = 0.01;
  const auto j = start(m);
  ASSERT_TRUE(testing::comes_true([&] {
    runs->enforce_limits();
    runs->collect();
    return j->stage == job_stage::ended;
  }));
  EXPECT_EQ(j->problem.type, "SoftTimeLimitExceeded");
}

TEST_F(executing, a_cold_shutdown_fails_what_was_acknowledged_and_gives_up_the_rest) {
  auto m = call_of("hang", "early");
  m.args = {};
  const auto early = start(m);
  m.id = "late";
  const auto late = testing::job_of(*context, m);
  held.start(late);
  late->acks_late = true;
  runs->start({late});
  ASSERT_TRUE(testing::comes_true([&] {
    runs->spread();
    return hanging == 2;
  }));
  runs->give_up_all();
  EXPECT_EQ(early->stage, job_stage::ended);
  EXPECT_EQ(early->problem.type, "WorkerLostError");
  EXPECT_EQ(late->stage, job_stage::given_up);
  EXPECT_TRUE(late->is_aborted() && late->settled);
}

TEST_F(executing, the_concurrency_follows_the_load) {
  context->config.autoscale_max = 4;
  context->config.autoscale_min = 1;
  for (const char* id : {"a", "b", "c", "d", "e"})
    held.make_ready(testing::job_of(*context, call_of("add", id)));
  runs->autoscale();
  EXPECT_EQ(context->config.concurrency, 4U);
  while (held.take_ready()) {
  }
  for (const std::size_t wanted : {3U, 2U, 1U, 1U}) {
    runs->autoscale();
    EXPECT_EQ(context->config.concurrency, wanted);
  }
}

// ---- remote control ----

class controlled : public executing {
 protected:
  json ask(std::string method, json_object arguments = {}) {
    received_request r;
    r.method = std::move(method);
    r.arguments = std::move(arguments);
    json out;
    const auto work = [&]() -> awaitable<void> { out = co_await control.answer(r); };
    asio::co_spawn(io, work, [](const std::exception_ptr& problem) {
      if (problem) ADD_FAILURE() << "it threw";
    });
    io.restart();
    io.poll();
    return out;
  }

  revocations revoked{*context};
  heartbeater beats{*context, held};
  bool expects_messages = false, shuts_down = false;
  remote_control control{
      *context,
      held,
      {*runs, revoked, beats, [this] { expects_messages = true; }, [this] { shuts_down = true; }}};
};

TEST_F(controlled, questions_are_answered) {
  EXPECT_EQ(ask("ping"), json(json_object{{"ok", "pong"}}));
  held.make_ready(testing::job_of(*context, call_of("add", "a")));
  const auto reserved = ask("reserved");
  EXPECT_EQ(reserved.at(0).at("id"), json("a"));
  EXPECT_EQ(reserved.at(0).at("args"), json(json_array{1, 2}));
  EXPECT_EQ(ask("query_task", {{"ids", json_array{"a"}}}).at("a").at(0), json("reserved"));
  EXPECT_EQ(ask("registered").at(2), json("late"));
  EXPECT_EQ(ask("registered").at(3), json("rare [rate_limit=1/h]"));
  EXPECT_EQ(ask("stats").at("pool").at("max-concurrency"), json(2));
  EXPECT_EQ(ask("nonsense"), json(json_object{{"error", "KeyError('nonsense')"}}));
}

TEST_F(controlled, limits_are_changed) {
  EXPECT_TRUE(ask("rate_limit", {{"task_name", "add"}, {"rate_limit", "x"}})
                  .get_object()
                  .contains("error"));
  ask("rate_limit", {{"task_name", "add"}, {"rate_limit", "10/m"}});
  EXPECT_EQ(context->find_task("add")->rate.text(), "10/m");
  ask("time_limit", {{"task_name", "add"}, {"soft", 1.5}, {"hard", 3}});
  EXPECT_EQ(context->find_task("add")->soft_limit_s, 1.5);
  EXPECT_EQ(context->find_task("add")->hard_limit_s, 3.0);
  EXPECT_EQ(ask("time_limit", {{"task_name", "none"}}),
            json(json_object{{"error", "unknown task"}}));
}

TEST_F(controlled, queues_and_concurrency_are_changed) {
  ask("pool_grow", {{"n", 3}});
  EXPECT_EQ(context->config.concurrency, 5U);
  ask("pool_shrink", {{"n", 100}});
  EXPECT_EQ(context->config.concurrency, 1U);
  ask("add_consumer", {{"queue", "more"}});
  EXPECT_TRUE(expects_messages);
  EXPECT_EQ(context->config.queues.size(), 2U);
  ask("cancel_consumer", {{"queue", "q"}});
  ASSERT_EQ(context->config.queues.size(), 1U);
  EXPECT_EQ(context->config.queues[0].first, "more");
  ask("shutdown");
  EXPECT_TRUE(shuts_down);
}

TEST_F(controlled, terminate_ends_a_running_job) {
  auto m = call_of("hang", "a");
  m.args = {};
  const auto j = start(m);
  EXPECT_EQ(ask("revoke", {{"task_id", "a"}}),
            json(json_object{{"ok", "tasks a flagged as revoked"}}));
  EXPECT_EQ(j->stage, job_stage::running);
  EXPECT_TRUE(revoked.is_revoked(*j));
  EXPECT_EQ(ask("revoke", {{"task_id", "a"}, {"terminate", true}}),
            json(json_object{{"ok", "terminate: a"}}));
  EXPECT_EQ(j->stage, job_stage::ended);
  EXPECT_EQ(j->ended, job_outcome::revoked);
  EXPECT_EQ(ask("terminate", {{"task_id", "b"}}),
            json(json_object{{"ok", "terminate: tasks unknown"}}));
}

}  // namespace
}  // namespace skirmish::tasks
