// The doctor names what is wrong, and only that.
#include "support/tasks_fixture.hpp"
#include "tasks/admin/operator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::becomes_true;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::task_worker;

class doctor : public testing::tasks_fixture {
 protected:
  // "problem: subject" of each finding.
  std::vector<std::string> findings() {
    auto& in = app.internals();
    auto& loop = in.client();
    const auto work = [&]() -> awaitable<json_array> {
      const broker_view at{loop.io(), loop.broker(), in.keys};
      co_return co_await diagnose(at);
    };
    std::vector<std::string> out;
    for (const auto& f : loop.block(work))
      out.push_back(std::string(f.at("problem").as_string()) + ": " +
                    std::string(f.at("subject").as_string()));
    return out;
  }
};

TEST_F(doctor, finds_nothing_on_a_healthy_broker) {
  const auto echo = app.task("echo", [](json v) { return v; });
  auto c = quick({{"celery", 1}});
  c.node = "a@test";
  task_worker one(app, c);
  EXPECT_EQ(echo.delay(1).get(60s), json(1));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(doctor, names_stuck_chords_leaked_keys_and_poison) {
  // A member has ended, and nobody knows how many there are.
  command("ZADD", "celery-taskset-meta-g1.j", 0, R"([1, "id", "SUCCESS", 1])");
  command("LPUSH", "x.reply.celery.pidbox", "never taken");
  for (int i = 0; i < 101; ++i) command("SADD", "_kombu.binding.celeryev", std::to_string(i));
  command("HSET", "unacked", "tag", "[]");
  command("LPUSH", "skirmish:tasks:dead", "{}");
  command("SADD", "_kombu.binding.unread", "unread");
  command("LPUSH", "unread", "no message");
  const auto found = findings();
  EXPECT_THAT(found, Contains("stuck chord: g1"));
  EXPECT_THAT(found, Contains("leaked keys: reply queues"));
  EXPECT_THAT(found, Contains("leaked keys: _kombu.binding.celeryev"));
  EXPECT_THAT(found, Contains("unbooked messages: unacked"));
  EXPECT_THAT(found, Contains("poison: dead letters"));
  EXPECT_THAT(found, Contains("poison: unread"));
  EXPECT_EQ(found.size(), 6U);
}

TEST_F(doctor, names_a_chord_that_stands_still_and_remembers_since_when) {
  command("SET", "celery-taskset-meta-fresh.s", 2);
  command("SET", "celery-taskset-meta-none.s", 2);
  command("SET", "celery-taskset-meta-one.s", 2);
  command("ZADD", "celery-taskset-meta-one.j", 0, R"([1, "id", "SUCCESS", 1])");
  EXPECT_THAT(findings(), IsEmpty());
  // As if that had been more than an hour ago.
  const auto long_ago =
      std::to_string(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) - 3700);
  command("HSET", "skirmish:tasks:doctor", "none 0", long_ago, "one 1", long_ago);
  for (int look = 0; look < 2; ++look)
    EXPECT_THAT(findings(), ElementsAre("stuck chord: none", "stuck chord: one"));
  command("ZADD", "celery-taskset-meta-one.j", 0, R"([1, "id2", "SUCCESS", 1])");
  EXPECT_THAT(findings(), ElementsAre("stuck chord: none"));
  command("DEL", "celery-taskset-meta-none.s");
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(doctor, names_clashing_workers_and_tasks_that_nobody_knows) {
  app_options hasty;
  hasty.visibility_timeout = 60s;
  tasks::app other(testing::shared_redis().url(), hasty);
  for (auto* each : {&app, &other}) each->task("known", [] {});
  auto c = quick({{"served", 1}});
  c.node = "twin@test";
  task_worker one(app, c), two(other, c);
  app.remote("nobody.has.it").apply_async({}, {.queue = "unserved"});
  app.remote("nobody.has.this").apply_async({}, {.queue = "unserved", .priority = 9});
  app.remote("known").apply_async({}, {.queue = "unserved"});
  command("SADD", "_kombu.binding.unserved", "unserved");
  ASSERT_TRUE(becomes_true([&] { return count("ZCARD", "skirmish:tasks:workers") == 2; }));
  EXPECT_TRUE(becomes_true([&] {
    const auto found = findings();
    const auto has = [&](const char* one_of_them) {
      return std::find(found.begin(), found.end(), one_of_them) != found.end();
    };
    return has("duplicate node name: twin@test") && has("unregistered task: nobody.has.it") &&
           has("unregistered task: nobody.has.this") && !has("unregistered task: known") &&
           has("clashing visibility timeouts: workers");
  }));
}

}  // namespace
}  // namespace skirmish::tasks
