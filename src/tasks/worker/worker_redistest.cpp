// Options of workers: rates, pauses, leases, queues, shutdown, autoscaling, the janitor.
#include "support/tasks_fixture.hpp"
#include "tasks/admin/operator.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::becomes_true;
using ::testing::ElementsAre;
using testing::notes;
using testing::task_worker;
using steady = std::chrono::steady_clock;

// Keeps tasks waiting until it is opened (or the test has ended).
class gate {
 public:
  ~gate() {
    open();
    while (waiting() > 0) std::this_thread::sleep_for(1ms);
  }
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    opened_.wait(lock, [this] { return is_open_; });
    --waiting_;
  }
  int waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
  int waiting_ = 0;
};

// A vanished worker's threads are joined by nobody, which ThreadSanitizer takes for a race with the
// end of the test.
#ifdef __SANITIZE_THREAD__
#define SKIP_UNDER_THREAD_SANITIZER() GTEST_SKIP() << "its threads are joined by nobody"
#else
#define SKIP_UNDER_THREAD_SANITIZER()
#endif

class worker_options : public testing::tasks_fixture {
 protected:
  // A control command to all workers.
  json_object ask(std::string method, json_object arguments = {}) {
    auto& in = app.internals();
    auto& loop = in.client();
    const auto work = [&]() -> awaitable<json_object> {
      const std::vector<std::string> everybody;
      const broker_view at{loop.io(), loop.broker(), in.keys};
      co_return co_await broadcast(at, method, arguments, everybody, 1s);
    };
    return loop.block(work);
  }
  std::int64_t concurrency_of(const std::string& node) {
    const auto stats = ask("stats");
    const auto* told = stats.if_contains(node);
    return told ? told->at("pool").at("max-concurrency").to_number<std::int64_t>() : -1;
  }
};

TEST_F(worker_options, a_global_rate_limit_is_shared_by_workers) {
  std::mutex mutex;
  std::vector<steady::time_point> starts;
  task_options options;
  options.global_rate_limit = "20/s";
  options.queue = "rates";
  const auto limited = app.task(
      "limited",
      [&] {
        const std::lock_guard lock(mutex);
        starts.push_back(steady::now());
      },
      options);
  std::vector<async_result> sent;
  for (int i = 0; i < 21; ++i) sent.push_back(limited.delay());
  task_worker one(app, quick({{"rates", 1}}, 8)), two(app, quick({{"rates", 1}}, 8));
  for (const auto& r : sent) r.get(60s);
  const auto [first, last] = std::minmax_element(starts.begin(), starts.end());
  // 20 intervals of 50 ms; each worker alone would be allowed as many, and two without a common
  // limit would need half the time.
  EXPECT_GE(*last - *first, 900ms);
  EXPECT_EQ(starts.size(), 21U);
}

TEST_F(worker_options, a_rate_limited_task_does_not_hold_others_back) {
  notes ran;
  task_options slow;
  slow.rate_limit = "1/h";
  slow.queue = "mixed";
  const auto limited = app.task("limited", [&] { ran.add("limited"); }, slow);
  const auto free = app.task("free", [&] { ran.add("free"); }, {.queue = "mixed"});
  // One may start; the other waits, and does not take the only place.
  for (int i = 0; i < 2; ++i) limited.delay();
  const auto last = free.delay();
  task_worker worker(app, quick({{"mixed", 1}}, 1));
  last.get(60s);
  EXPECT_THAT(ran.all(), ElementsAre("limited", "free"));
}

TEST_F(worker_options, a_paused_queue_is_served_again_when_it_is_resumed) {
  notes ran;
  app.task("note", [&ran](std::string text) { ran.add(text); });
  const auto note = app.remote("note");
  command("SADD", "skirmish:tasks:paused", "a");
  task_worker worker(app, quick({{"a", 1}, {"b", 1}}));
  const auto waits = note.apply_async({"a"}, {.queue = "a"});
  // The worker has had many occasions to take it.
  for (int i = 0; i < 20; ++i) note.apply_async({"b"}, {.queue = "b"}).get(60s);
  EXPECT_EQ(ran.size(), 20U);
  EXPECT_EQ(count("LLEN", "a"), 1);
  command("SREM", "skirmish:tasks:paused", "a");
  waits.get(60s);
  EXPECT_EQ(ran.all().back(), "a");
}

// A task that takes longer than the visibility timeout, beside a worker that sweeps: how often it
// starts.
struct lease {
  std::chrono::milliseconds refresh;
  int starts;
};
class leases : public worker_options, public ::testing::WithParamInterface<lease> {};

TEST_P(leases, decide_whether_a_long_task_runs_twice) {
  app_options sweeping;
  sweeping.visibility_timeout = 3s;
  tasks::app strict(testing::shared_redis().url(), sweeping);
  notes ran;
  gate until;
  const auto define = [&](tasks::app& in) {
    return in.task("long",
                   [&] {
                     ran.add("start");
                     until.pass();
                   },
                   {.queue = "leases", .acks_late = true});
  };
  const auto task = define(app);
  define(strict);
  auto holding = quick({{"leases", 1}}, 1);
  holding.lease_refresh = GetParam().refresh;
  task_worker first(app, holding);
  const auto sent = task.delay();
  ASSERT_TRUE(becomes_true([&] { return until.waiting() == 1; }));
  const auto tag = command("HKEYS", "unacked").as_strings().at(0);
  // Held since a moment later, and refreshed by nobody: when the sweep has given it back, the lease
  // of the long task would have ended too.
  app.remote("marker").apply_async({}, {.queue = "marker"});
  const auto marker = command("RPOP", "marker").as_string();
  command("HSET", "unacked", "marker", "[" + marker + R"(, "", "marker"])");
  command("ZADD", "unacked_index", fmt::format("{:.6f}", unix_now_s()), "marker");
  task_worker second(strict, quick({{"leases", 1}}, 1));
  ASSERT_TRUE(becomes_true([&] { return count("LLEN", "marker") == 1; }));
  if (GetParam().starts == 1) {
    EXPECT_THAT(command("HKEYS", "unacked").as_strings(), ElementsAre(tag));
  } else {
    EXPECT_TRUE(becomes_true([&] { return ran.size() == 2; }));
  }
  until.open();
  sent.get(60s);
  ASSERT_TRUE(becomes_true([&] { return count("HLEN", "unacked") == 0; }));
  EXPECT_EQ(count("LLEN", "leases"), 0);
  EXPECT_EQ(static_cast<int>(ran.size()), GetParam().starts);
}

// The second shows that the first can fail: without the refresh the sweep takes the message away.
INSTANTIATE_TEST_SUITE_P(refreshed_and_not, leases,
                         ::testing::Values(lease{200ms, 1}, lease{1h, 2}));

TEST_F(worker_options, strict_queues_are_served_in_their_order) {
  notes ran;
  const auto note = app.task("note", [&ran](std::string text) { ran.add(text); });
  for (int i = 0; i < 5; ++i) {
    note.apply_async({"low"}, {.queue = "low"});
    note.apply_async({"high"}, {.queue = "high"});
  }
  auto c = quick({{"high", 1}, {"low", 1}}, 1);
  c.strict_queues = true;
  c.prefetch_multiplier = 1;
  task_worker worker(app, c);
  ASSERT_TRUE(becomes_true([&] { return ran.size() == 10; }));
  const std::vector<std::string> wanted{"high", "high", "high", "high", "high",
                                        "low",  "low",  "low",  "low",  "low"};
  EXPECT_EQ(ran.all(), wanted);
}

TEST_F(worker_options, weighted_queues_are_served_by_their_weight) {
  notes ran;
  const auto note = app.task("note", [&ran](std::string text) { ran.add(text); });
  const std::vector<json_array> heavy(1000, json_array{"heavy"}), light(1000, json_array{"light"});
  note.map(heavy, {.queue = "heavy", .ignore_result = true});
  note.map(light, {.queue = "light", .ignore_result = true});
  auto c = quick({{"light", 1}, {"heavy", 4}}, 2);
  task_worker worker(app, c);
  ASSERT_TRUE(becomes_true([&] { return ran.size() == 2000; }));
  const auto all = ran.all();
  // While both had messages. 1 to 4 is 20 %; the bounds are ten standard deviations wide.
  const auto of_light = std::count(all.begin(), all.begin() + 1000, "light");
  EXPECT_GT(of_light, 70);
  EXPECT_LT(of_light, 330);
}

TEST(serving_order, gives_shares_by_weight_on_average) {
  const std::vector<std::pair<std::string, int>> queues{{"a", 1}, {"b", 3}};
  double a = 0, first_b = 0;
  constexpr int rounds = 20'000;
  for (int i = 0; i < rounds; ++i) {
    const auto order = serving_order(queues, false, 10);
    ASSERT_EQ(order.size(), 2U);
    for (const auto& [name, share] : order)
      if (name == "a") a += static_cast<double>(share);
    first_b += order[0].first == "b" ? 1 : 0;
  }
  EXPECT_NEAR(a / rounds, 2.5, 0.1);
  EXPECT_NEAR(first_b / rounds, 0.75, 0.05);
  const auto strict = serving_order(queues, true, 10);
  EXPECT_EQ(strict[0], std::pair(std::string("a"), worker_fetch_limit));
  EXPECT_EQ(strict[1].first, "b");
}

TEST_F(worker_options, a_cold_stop_gives_late_tasks_back_and_fails_the_others) {
  notes ran;
  gate until;
  const auto body = [&](std::string text) {
    ran.add(text);
    until.pass();
    return text;
  };
  const auto early = app.task("early", body, {.queue = "cold"});
  const auto late = app.task("late", body, {.queue = "cold", .acks_late = true});
  auto first = std::make_unique<task_worker>(app, quick({{"cold", 1}}, 2));
  const auto a = early.delay("early"), b = late.delay("late");
  ASSERT_TRUE(becomes_true([&] { return until.waiting() == 2; }));
  const auto waits = early.delay("waits");
  first->stop(true);
  EXPECT_EQ(count("HLEN", "unacked"), 0);
  EXPECT_EQ(count("LLEN", "cold"), 2);
  EXPECT_EQ(count("EXISTS", "skirmish:tasks:workers"), 0);
  try {
    a.get(60s);
    ADD_FAILURE() << "it has a result";
  } catch (const task_failed& e) {
    EXPECT_EQ(e.type(), "WorkerLostError");
  }
  until.open();
  task_worker second(app, quick({{"cold", 1}}, 2));
  EXPECT_EQ(b.get(60s), json("late"));
  EXPECT_EQ(waits.get(60s), json("waits"));
  auto all = ran.all();
  std::sort(all.begin(), all.end());
  EXPECT_THAT(all, ElementsAre("early", "late", "late", "waits"));
}

TEST_F(worker_options, patience_ends_a_warm_stop) {
  gate until;
  const auto late = app.task("late", [&] { until.pass(); }, {.queue = "warm", .acks_late = true});
  auto c = quick({{"warm", 1}});
  c.shutdown_patience = 1s;
  task_worker worker(app, c);
  late.delay();
  ASSERT_TRUE(becomes_true([&] { return until.waiting() == 1; }));
  const auto begin = steady::now();
  worker.stop();
  EXPECT_GE(steady::now() - begin, 900ms);
  EXPECT_EQ(count("LLEN", "warm"), 1);
}

TEST_F(worker_options, the_pool_grows_and_shrinks_with_the_load) {
  gate until;
  const auto task = app.task("busy", [&] { until.pass(); }, {.queue = "scale"});
  auto c = quick({{"scale", 1}}, 1);
  c.node = "scaled@test";
  c.autoscale_max = 4;
  c.autoscale_min = 1;
  task_worker worker(app, c);
  std::vector<async_result> sent;
  for (int i = 0; i < 6; ++i) sent.push_back(task.delay());
  ASSERT_TRUE(becomes_true([&] { return until.waiting() == 4; }));
  EXPECT_EQ(concurrency_of("scaled@test"), 4);
  until.open();
  for (const auto& r : sent) r.get(60s);
  EXPECT_TRUE(becomes_true([&] { return concurrency_of("scaled@test") == 1; }));
  const auto told = ask("autoscale", {{"max", 2}, {"min", 2}});
  EXPECT_EQ(told.at("scaled@test").at("ok"), json("autoscale now max=2 min=2"));
  EXPECT_TRUE(becomes_true([&] { return concurrency_of("scaled@test") == 2; }));
}

TEST_F(worker_options, messages_of_dead_python_workers_come_back) {
  notes ran;
  const auto note = app.task("note", [&ran](std::string text) { ran.add(text); }, {.queue = "py"});
  note.apply_async({"abandoned"}, {.queue = "py"});
  // What kombu leaves behind when it is killed: the message in its hash, an old time in its index.
  const auto envelope = command("RPOP", "py").as_string();
  command("HSET", "unacked", "tag-1", "[" + envelope + R"(, "", "py"])");
  command("ZADD", "unacked_index", "1000", "tag-1");
  command("ZADD", "unacked_index", "1000", "tag-without-message");
  task_worker worker(app, quick({{"py", 1}}));
  ASSERT_TRUE(becomes_true([&] { return ran.size() == 1; }));
  EXPECT_TRUE(becomes_true([&] { return count("ZCARD", "unacked_index") == 0; }));
}

TEST_F(worker_options, the_janitor_removes_what_dead_clients_leave) {
  const std::string sep(separator);
  const auto bindings = "_kombu.binding.reply.celery.pidbox";
  command("LPUSH", "gone.reply.celery.pidbox", "an answer that nobody took");
  command("SADD", bindings, "gone" + sep + sep + "gone.reply.celery.pidbox");
  command("SADD", bindings, "silent" + sep + sep + "silent.reply.celery.pidbox");
  for (int i = 0; i < 101; ++i)
    command("SADD", "_kombu.binding.celeryev", fmt::format("worker.#{}{}celeryev.{}", sep, sep, i));
  auto c = quick({{"none", 1}});
  c.reply_idle_limit = 2s;
  task_worker worker(app, c);
  EXPECT_TRUE(becomes_true([&] { return count("EXISTS", bindings) == 0; }));
  EXPECT_EQ(count("EXISTS", "gone.reply.celery.pidbox"), 0);
  EXPECT_TRUE(becomes_true([&] { return count("EXISTS", "_kombu.binding.celeryev") == 0; }));
}

TEST_F(worker_options, a_vanished_workers_messages_are_given_back) {
  SKIP_UNDER_THREAD_SANITIZER();
  notes ran;
  gate until;
  const auto late = app.task("late",
                             [&](std::string text) {
                               ran.add(text);
                               until.pass();
                               return text;
                             },
                             {.queue = "dead", .acks_late = true});
  auto c = quick({{"dead", 1}}, 1);
  c.dead_after = 2s;
  task_worker first(app, c);
  const auto a = late.delay("a"), b = late.delay("b");
  ASSERT_TRUE(becomes_true([&] { return until.waiting() == 1 && count("HLEN", "unacked") == 2; }));
  first.vanish();
  task_worker second(app, c);
  ASSERT_TRUE(becomes_true([&] { return until.waiting() == 2; }));
  until.open();
  EXPECT_EQ(a.get(60s), json("a"));
  EXPECT_EQ(b.get(60s), json("b"));
  EXPECT_THAT(ran.all(), ElementsAre("a", "a", "b"));
}

TEST_F(worker_options, a_lost_early_task_fails_with_all_that_depends_on_it) {
  SKIP_UNDER_THREAD_SANITIZER();
  notes noted;
  gate until;
  const auto hang = app.task("hang", [&] { until.pass(); }, {.queue = "lost"});
  const auto fine = app.task("fine", [] { return 1; }, {.queue = "lost"});
  const auto total = app.task("total", [](json all) { return all; }, {.queue = "lost"});
  app.task("errback", [&noted](std::string id) { noted.add(id); }, {.queue = "lost"});
  auto c = quick({{"lost", 1}}, 3);
  c.dead_after = 2s;
  task_worker first(app, c);
  const auto alone = hang.apply_async({}, {.link_error = {signature("errback")}});
  const auto chorded = app.send(chord({hang.s(), fine.s()}, total.s()));
  const auto chained = app.send(chain({hang.s(), total.s()}));
  ASSERT_TRUE(becomes_true([&] { return until.waiting() == 3; }));
  first.vanish();
  task_worker second(app, c);
  const auto type_of = [](const async_result& r) -> std::string {
    try {
      r.get(60s);
    } catch (const task_failed& e) {
      return e.type();
    }
    return "none";
  };
  EXPECT_EQ(type_of(alone), "WorkerLostError");
  EXPECT_EQ(type_of(chained), "WorkerLostError");
  EXPECT_EQ(type_of(chorded), "ChordError");
  EXPECT_TRUE(becomes_true([&] { return noted.size() == 1; }));
  EXPECT_THAT(noted.all(), ElementsAre(alone.id()));
  EXPECT_TRUE(becomes_true([&] { return count("ZCARD", "skirmish:tasks:workers") == 1; }));
}

}  // namespace
}  // namespace skirmish::tasks
