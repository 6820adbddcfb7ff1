// The client: results, canvases, deduplication, and a broker that goes away.
#include "support/run.hpp"
#include "support/tasks_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::becomes_true;
using ::testing::ElementsAre;
using testing::notes;
using testing::task_worker;

constexpr auto patience = 60s;

class task_client : public testing::tasks_fixture {
 protected:
  void SetUp() override {
    tasks_fixture::SetUp();
    options.queue = "client";
    add_tasks();
  }
  void add_tasks() {
    app.task("add", [](std::int64_t a, std::int64_t b) { return a + b; }, options);
    app.task(
        "total",
        [](std::vector<std::int64_t> all) {
          std::int64_t sum = 0;
          for (const auto n : all) sum += n;
          return sum;
        },
        options);
    app.task("fail", [](std::string why) -> json { throw std::invalid_argument(why); }, options);
    app.task(
        "wait",
        [](task_context& self) {
          self.update_state(json_object{{"done", 3}});
          while (true) {
            self.check();
            std::this_thread::sleep_for(5ms);
          }
        },
        options);
    app.task("note", [this](std::string text) { ran.add(text); }, options);
  }
  signature add(std::int64_t a, std::int64_t b) { return app.remote("add").s(a, b); }

  task_options options;
  notes ran;
};

TEST_F(task_client, get_waits_for_the_result_and_finds_it_again) {
  const auto sum = app.remote("add").delay(2, 3);
  EXPECT_EQ(sum.state(), "PENDING");
  EXPECT_FALSE(sum.ready());
  EXPECT_TRUE(sum.document().is_null());
  std::thread waits([&] { EXPECT_EQ(sum.get(patience), json(5)); });  // before anybody works
  task_worker worker(app, quick({{"client", 1}}));
  EXPECT_EQ(sum.get(patience), json(5));
  waits.join();
  EXPECT_EQ(sum.state(), "SUCCESS");
  EXPECT_TRUE(sum.ready());
  EXPECT_EQ(sum.document().at("task_id"), json(sum.id()));
  EXPECT_EQ(app.result(sum.id()).get(patience), json(5));
  sum.forget();
  EXPECT_EQ(sum.state(), "PENDING");
}

TEST_F(task_client, get_throws_what_became_of_the_task) {
  task_worker worker(app, quick({{"client", 1}}));
  const auto failed = app.remote("fail").delay("no reason");
  try {
    failed.get(patience);
    ADD_FAILURE() << "it has a result";
  } catch (const task_failed& e) {
    EXPECT_EQ(e.type(), "ValueError");
    EXPECT_EQ(e.module(), "builtins");
    EXPECT_THAT(e.arguments(), ElementsAre(json("no reason")));
    EXPECT_EQ(e.state(), "FAILURE");
    EXPECT_NE(e.traceback().find("C++ task fail"), std::string::npos);
  }
  const auto endless = app.remote("wait").delay();
  ASSERT_TRUE(becomes_true([&] { return endless.state() == "PROGRESS"; }));
  EXPECT_EQ(endless.document().at("result").at("done"), json(3));
  EXPECT_THROW(endless.get(50ms), timed_out);
  endless.revoke(true);
  try {
    endless.get(patience);
    ADD_FAILURE() << "it has a result";
  } catch (const task_failed& e) {
    EXPECT_EQ(e.state(), "REVOKED");
    EXPECT_EQ(e.type(), "TaskRevokedError");
  }
}

TEST_F(task_client, get_of_many_threads_and_tasks) {
  task_worker worker(app, quick({{"client", 1}}));
  std::vector<std::thread> threads;
  for (std::int64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::int64_t i = 0; i < 50; ++i)
        EXPECT_EQ(app.remote("add").delay(t, i).get(patience), json(t + i));
    });
  for (auto& thread : threads) thread.join();
}

TEST_F(task_client, chains_groups_and_chords_return_what_they_should) {
  task_worker worker(app, quick({{"client", 1}}));
  const auto chained = app.send(chain({add(2, 3), app.remote("add").s(4), app.remote("add").s(5)}));
  EXPECT_EQ(chained.get(patience), json(14));
  const auto all = app.send_group({add(1, 1), add(2, 2), add(3, 3)});
  EXPECT_THAT(all.get(patience), ElementsAre(json(2), json(4), json(6)));
  const auto more = app.remote("add").s(10), total = app.remote("total").s();
  const auto parts =
      app.send_group({add(1, 1), chain({add(1, 2), more}), chord({add(1, 1), add(2, 2)}, total)});
  EXPECT_THAT(parts.get(patience), ElementsAre(json(2), json(13), json(6)));
  const auto split = app.send_group(chain({add(1, 1), group({more, chain({more, more})})}));
  EXPECT_THAT(split.get(patience), ElementsAre(json(12), json(22)));
  EXPECT_THAT(app.send_group({add(4, 4)}).get(patience), ElementsAre(json(8)));
  const auto chorded = app.send(chord({add(1, 1), add(2, 2)}, app.remote("total").s()));
  EXPECT_EQ(chorded.get(patience), json(6));
  EXPECT_TRUE(
      becomes_true([&] { return command("KEYS", "celery-taskset-meta-*.[jstd]").size() == 0; }));
  auto followed = add(7, 1);
  followed.link(app.remote("add").s(100).task_id("after"));
  app.send(followed);
  EXPECT_EQ(app.result("after").get(patience), json(108));
  EXPECT_THROW(app.send(chain({})), std::invalid_argument);
  EXPECT_THROW(app.send(group({add(1, 1)})), std::invalid_argument);
}

// A worker hears of what it sends to its own queue itself. If it did not, each step would wait for
// the safeguard, which looks once a second.
TEST_F(task_client, steps_of_a_chain_follow_at_once) {
  task_worker worker(app, quick({{"client", 1}}));
  constexpr int steps = 40;
  std::vector<signature> all(steps, app.remote("add").s(1));
  all.front() = add(0, 1);
  EXPECT_EQ(app.send(chain(all)).get(std::chrono::seconds{steps / 2}), json(steps));
}

TEST_F(task_client, a_deduplication_key_sends_the_first_of_the_same) {
  const auto note = app.remote("note");
  send_options once;
  once.deduplication_key = "invoice-7";
  const auto first = note.apply_async({"a"}, once), second = note.apply_async({"b"}, once);
  EXPECT_EQ(first.id(), second.id());
  once.deduplication_key = "invoice-8";
  EXPECT_NE(note.apply_async({"c"}, once).id(), first.id());
  EXPECT_EQ(count("LLEN", "client"), 2);
  task_worker worker(app, quick({{"client", 1}}, 1));
  second.get(patience);
  ASSERT_TRUE(becomes_true([&] { return is_drained("client"); }));
  // Remembered after it ran, until its time is over.
  once.deduplication_key = "invoice-7";
  EXPECT_EQ(note.apply_async({"d"}, once).id(), first.id());
  once.deduplication_key = "short";
  once.deduplicate_for = 20ms;
  const auto short_one = note.apply_async({"e"}, once);
  EXPECT_TRUE(becomes_true([&] { return note.apply_async({"f"}, once).id() != short_one.id(); }));
  ASSERT_TRUE(becomes_true([&] { return ran.size() >= 4; }));
  auto texts = ran.all();
  texts.resize(3);
  EXPECT_THAT(texts, ElementsAre("a", "c", "e"));
}

TEST_F(task_client, a_broker_that_is_away_is_tried_again_as_asked) {
  testing::redis_server own({.append_only = true});
  app_options impatient;
  impatient.operation_timeout = 300ms;
  tasks::app there(own.url(), impatient);
  const auto noop = there.remote("noop");
  noop.delay();
  own.kill();
  send_options send;
  send.retry = false;
  EXPECT_THROW(noop.apply_async({}, send), broker_unavailable);
  send.retry = true;
  send.retry_policy = publish_retry{2, 10ms, 10ms, 20ms};
  EXPECT_THROW(noop.apply_async({}, send), broker_unavailable);
  send.retry_policy = publish_retry{10'000, 10ms, 10ms, 50ms};
  std::thread persists([&] { EXPECT_NO_THROW(noop.apply_async({}, send)); });
  own.start();  // on this thread: the server dies with the thread that started it
  persists.join();
  asio::io_context io(1);
  redis::client direct(io, own.config(), "test");
  task_group group(io);
  group.spawn("redis", [&] { return direct.run(); });
  testing::run(io, [&]() -> awaitable<void> {
    co_await direct.wait_connected(10s);
    const auto length = redis::checked(co_await direct.command("LLEN", "celery"));
    EXPECT_EQ(length.as_integer(), 2);
    direct.stop();
    co_await group.wait(5s);
  });
}

}  // namespace
}  // namespace skirmish::tasks
