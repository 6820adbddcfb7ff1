// What is written of tasks that end, and what follows from their ends.
#include "support/tasks_fixture.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using testing::becomes_true;
using ::testing::ElementsAre;
using testing::task_worker;

class task_outcomes : public testing::tasks_fixture {
 protected:
  static constexpr auto patience = 60s;

  std::string type_of_failure(const async_result& of) {
    try {
      of.get(patience);
    } catch (const task_failed& e) {
      return e.type();
    }
    return "success";
  }
};

TEST_F(task_outcomes, retries_back_off_until_they_are_used_up) {
  std::mutex mutex;
  std::vector<steady::time_point> starts;
  task_options options;
  options.autoretry_for = {"RuntimeError"};
  options.max_retries = 3;
  options.retry_backoff_s = 0.1;
  options.retry_jitter = false;
  const auto failing = app.task(
      "failing",
      [&] {
        const std::lock_guard lock(mutex);
        starts.push_back(steady::now());
        throw std::runtime_error("always");
      },
      options);
  task_worker worker(app, quick({{"celery", 1}}));
  EXPECT_EQ(type_of_failure(failing.delay()), "RuntimeError");
  ASSERT_EQ(starts.size(), 4U);
  for (const int i : {0, 1, 2}) EXPECT_GE(starts[i + 1] - starts[i], 95ms * (1 << i)) << i;
}

TEST_F(task_outcomes, pauses_between_retries_have_a_limit) {
  task_options options;
  options.autoretry_for = {"*"};
  options.retry_backoff_s = 3600;
  options.retry_backoff_max = 100ms;
  options.retry_jitter = false;
  const auto failing = app.task("failing", [] { throw std::domain_error("always"); }, options);
  task_worker worker(app, quick({{"celery", 1}}));
  EXPECT_EQ(type_of_failure(failing.delay()), "ValueError");
}

TEST_F(task_outcomes, jitter_spreads_retries) {
  task_options options;
  options.autoretry_for = {"*"};
  options.retry_backoff_s = 3600;
  options.retry_backoff_max = 1h;
  const auto failing = app.task("failing", [] { throw std::runtime_error("always"); }, options);
  task_worker worker(app, quick({{"celery", 1}}));
  constexpr int count_of_tasks = 20;
  const auto begin = unix_now_s();
  for (int i = 0; i < count_of_tasks; ++i) failing.delay();
  // Nearly all of them are due later than a worker waits for by itself.
  ASSERT_TRUE(becomes_true([&] { return count("ZCARD", "skirmish:tasks:eta") >= 15; }));
  std::set<std::int64_t> due;
  for (const auto& one : command("ZRANGE", "skirmish:tasks:eta", 0, -1, "WITHSCORES").elements()) {
    const auto at = one[1].as_double().value_or(0);
    EXPECT_LE(at, unix_now_s() + 3601);
    EXPECT_GE(at, begin);
    due.insert(static_cast<std::int64_t>(at));
  }
  EXPECT_GE(due.size(), 10U);
}

TEST_F(task_outcomes, errors_may_be_kept_where_results_are_not) {
  task_options options;
  options.ignore_result = true;
  const auto silent = app.task("silent", [] { throw std::runtime_error("x"); }, options);
  options.store_errors_even_if_ignored = true;
  const auto telling = app.task(
      "telling",
      [](bool fails) {
        if (fails) throw std::runtime_error("x");
      },
      options);
  task_worker worker(app, quick({{"celery", 1}}));
  const auto unknown = silent.delay(), good = telling.delay(false), bad = telling.delay(true);
  EXPECT_EQ(type_of_failure(bad), "RuntimeError");
  ASSERT_TRUE(becomes_true([&] { return is_drained("celery"); }));
  EXPECT_EQ(unknown.state(), "PENDING");
  EXPECT_EQ(good.state(), "PENDING");
}

TEST_F(task_outcomes, results_tell_of_their_tasks_when_asked_to) {
  app_options options;
  options.result_extended = true;
  tasks::app telling(testing::shared_redis().url(), options);
  const auto add = telling.task("add", [](int a, int b) { return a + b; });
  auto c = quick({{"celery", 1}});
  c.node = "teller@test";
  task_worker worker(telling, c);
  const auto sent = add.delay(1, 2);
  EXPECT_EQ(sent.get(patience), json(3));
  const auto document = sent.document();
  EXPECT_EQ(document.at("name"), json("add"));
  EXPECT_EQ(document.at("args"), json("(1, 2)"));
  EXPECT_EQ(document.at("kwargs"), json("{}"));
  EXPECT_EQ(document.at("worker"), json("teller@test"));
  EXPECT_EQ(document.at("retries"), json(0));
  EXPECT_EQ(document.at("queue"), json("celery"));
}

TEST_F(task_outcomes, groups_at_the_ends_of_groups_chains_and_chords) {
  const auto add = app.task("add", [](int a, int b) { return a + b; });
  const auto echo = app.task("echo", [](json v) { return v; });
  task_worker worker(app, quick({{"celery", 1}}));
  const auto split = chain({add.s(1, 1), group({add.s(1), add.s(2)})});
  EXPECT_THAT(app.send_group({split, add.s(5, 5)}).get(patience),
              ElementsAre(json(3), json(4), json(10)));
  const auto nested = app.send(
      chord({add.s(0, 0), chain({add.s(1, 1), group({add.s(1), split})}), group({add.s(9, 9)})},
            echo.s()));
  // `split` gets the 2 in front of its first step's arguments, which adds three numbers: it fails.
  EXPECT_EQ(type_of_failure(nested), "ChordError");
  const auto deep = chain({add.s(1), group({add.s(1), add.s(2)})});
  const auto whole = app.send(
      chord({add.s(0, 0), chain({add.s(1, 1), group({add.s(1), deep})}), group({add.s(9, 9)})},
            echo.s()));
  const auto wanted = parse_json("[0, [3, [4, 5]], 18]");
  EXPECT_EQ(whole.get(patience), *wanted);
  const auto two = app.send_group(chord({add.s(1, 1), add.s(2, 2)}, group({echo.s(), echo.s()})));
  const auto both = parse_json("[2, 4]");
  EXPECT_THAT(two.get(patience), ElementsAre(*both, *both));
  ASSERT_TRUE(
      becomes_true([&] { return command("KEYS", "celery-taskset-meta-*.[jstd]").size() == 0; }));
}

// Nobody waits for ever for the end of what failed on its way.
TEST_F(task_outcomes, a_failure_reaches_all_that_depend_on_it) {
  const auto add = app.task("add", [](int a, int b) { return a + b; });
  const auto fail = app.task("fail", []() -> json { throw std::runtime_error("no"); });
  const auto total = app.task("total", [](std::vector<int> all) { return json(all.size()); });
  task_worker worker(app, quick({{"celery", 1}}));
  EXPECT_EQ(type_of_failure(app.send(chain({fail.s(), add.s(1), add.s(2)}))), "RuntimeError");
  EXPECT_EQ(type_of_failure(
                app.send(chain({fail.s(), group({add.s(1), add.s(2)}), total.s(), add.s(1)}))),
            "RuntimeError");
  const auto ends = app.send_group(chain({fail.s(), group({add.s(1), add.s(2)})}));
  for (const auto& member : ends.members()) EXPECT_EQ(type_of_failure(member), "RuntimeError");
  for (const auto& broken :
       {chain({fail.s(), add.s(1)}), chain({fail.s(), add.s(1), group({add.s(1), add.s(2)})}),
        chord({fail.s(), add.s(1, 1)}, total.s()),
        chord({chain({fail.s(), add.s(1)}), add.s(1, 1)}, chain({total.s(), add.s(1)}))})
    EXPECT_EQ(type_of_failure(app.send(chord({broken, add.s(1, 1)}, total.s()))), "ChordError");
  const auto bodies = app.send_group(chord({fail.s(), add.s(1, 1)}, group({total.s(), total.s()})));
  for (const auto& member : bodies.members()) EXPECT_EQ(type_of_failure(member), "ChordError");
  ASSERT_TRUE(
      becomes_true([&] { return command("KEYS", "celery-taskset-meta-*.[jstd]").size() == 0; }));
}

}  // namespace
}  // namespace skirmish::tasks
