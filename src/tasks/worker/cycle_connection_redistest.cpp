// Cycles are executed exactly once, and messages are fetched, without a worker.
#include "tasks/worker/cycle_connection.hpp"

#include "support/worker_parts_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::call_of;
using ::testing::ElementsAre;
using testing::envelope_of;
using ::testing::IsEmpty;

class cycle_connections : public testing::worker_parts_fixture {
 protected:
  struct fetched {
    std::string envelope, tag, queue;
  };

  void SetUp() override {
    worker_parts_fixture::SetUp();
    cycles.emplace(
        *context, cycle_connection::handlers{
                      [this](std::string envelope, std::string tag, std::string queue) {
                        messages.push_back({std::move(envelope), std::move(tag), std::move(queue)});
                      },
                      [this](const chord_part& last, std::vector<std::string> parts) {
                        chords.emplace_back(last.group_id, parts.size());
                      }});
    tasks.spawn("cycles", [this] { return cycles->run(); });
    run([this]() -> awaitable<void> { co_await cycles->wait_connected(60s); });
  }
  void TearDown() override {
    cycles->stop();
    worker_parts_fixture::TearDown();
  }

  cycle_connection::reply send(const worker_cycle& cycle, std::size_t want = 0) {
    cycle_connection::reply out;
    run([&]() -> awaitable<void> {
      out = co_await cycles->send(cycle, want);
      cycles->accept(out);
    });
    return out;
  }
  // A fetched message as a job that is about to start.
  job_ptr fetch_one() {
    const auto m = call_of("add", "a");
    command("LPUSH", "q", envelope_of(m));
    messages.clear();
    send({}, 1);
    auto j = testing::job_of(*context, m);
    j->m.tag = messages.at(0).tag;
    return j;
  }

  std::optional<cycle_connection> cycles;
  std::vector<fetched> messages;
  std::vector<std::pair<std::string, std::size_t>> chords;
};

TEST_F(cycle_connections, messages_are_fetched_in_order_and_held) {
  for (const char* id : {"a", "b", "c"}) command("LPUSH", "q", envelope_of(call_of("add", id)));
  send({}, 2);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].queue, "q");
  EXPECT_NE(messages[0].tag, messages[1].tag);
  EXPECT_EQ(integer("HLEN", "unacked"), 2);
  EXPECT_TRUE(cycles->may_have_messages());
  send({}, 2);
  ASSERT_EQ(messages.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    message m(messages[i].envelope);
    ASSERT_TRUE(parse_envelope(m));
    EXPECT_EQ(m.id, std::string(1, static_cast<char>('a' + i)));
  }
}

TEST_F(cycle_connections, an_empty_queue_is_not_asked_again_until_it_changes) {
  ASSERT_TRUE(testing::comes_true([this] {
    send({}, 5);
    return !cycles->may_have_messages();
  }));
  command("LPUSH", "q", envelope_of(call_of("add", "a")));
  run([this]() -> awaitable<void> {
    co_await testing::eventually([this] { return cycles->may_have_messages(); });
  });
}

TEST_F(cycle_connections, a_start_is_claimed_once) {
  const auto j = fetch_one();
  worker_cycle cycle;
  cycle.add_start(j);
  EXPECT_THAT(send(cycle).lost, ElementsAre(false));
  EXPECT_EQ(integer("HLEN", "unacked"), 0);
  EXPECT_EQ(integer("HLEN", context->running_key()), 1);
  // It is not held any more: whoever claims it now is too late.
  EXPECT_THAT(send(cycle).lost, ElementsAre(true));
}

TEST_F(cycle_connections, a_job_given_to_another_worker_is_lost) {
  const auto j = fetch_one();
  command("ZREM", "unacked_index", j->m.tag);
  worker_cycle cycle;
  cycle.add_start(j);
  EXPECT_THAT(send(cycle).lost, ElementsAre(true));
}

TEST_F(cycle_connections, a_cycle_is_executed_once_though_its_connection_is_killed) {
  worker_cycle cycle;
  cycle.pushes.push_back({"list", "message"});
  for (int round = 1; round <= 20; ++round) {
    bool sent = false;
    tasks.spawn("send", [&]() -> awaitable<void> {
      const auto reply = co_await cycles->send(cycle, 1);
      cycles->accept(reply);
      sent = true;
    });
    run([&]() -> awaitable<void> {
      co_await redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      co_await testing::eventually([&] { return sent; });
    });
    ASSERT_EQ(integer("LLEN", "list"), round);
  }
}

// One that is full, for example: nothing of the cycle is done, and it is not asked in a hurry.
TEST_F(cycle_connections, a_cycle_waits_for_a_redis_that_refuses_to_write) {
  command("LPUSH", "q", envelope_of(call_of("add", "a")));
  messages.clear();
  worker_cycle cycle;
  cycle.pushes.push_back({"list", "message"});
  command("CONFIG", "SET", "min-replicas-to-write", 9);
  bool sent = false;
  tasks.spawn("send", [&]() -> awaitable<void> {
    const auto reply = co_await cycles->send(cycle, 1);
    cycles->accept(reply);
    sent = true;
  });
  const auto calls = [this] {
    const auto stats = command("INFO", "commandstats").as_string();
    const auto at = stats.find("cmdstat_evalsha:calls=");
    return at == std::string::npos ? 0 : std::stoi(stats.substr(at + 22));
  };
  run([&]() -> awaitable<void> { co_await testing::pause(100ms); });
  const auto before = calls();
  run([&]() -> awaitable<void> { co_await testing::pause(1s); });
  EXPECT_LT(calls() - before, 50);
  EXPECT_FALSE(sent);
  command("CONFIG", "SET", "min-replicas-to-write", 0);
  run([&]() -> awaitable<void> { co_await testing::eventually([&] { return sent; }); });
  EXPECT_EQ(integer("LLEN", "list"), 1);
  EXPECT_EQ(messages.size(), 1U);
  EXPECT_EQ(integer("HLEN", "unacked"), 1);
}

TEST_F(cycle_connections, scripts_that_redis_forgot_are_loaded) {
  const auto j = fetch_one();
  command("SCRIPT", "FLUSH");
  worker_cycle cycle;
  cycle.add_start(j);
  command("LPUSH", "q", envelope_of(call_of("add", "b")));
  messages.clear();
  EXPECT_THAT(send(cycle, 5).lost, ElementsAre(false));
  EXPECT_EQ(messages.size(), 1U);
}

TEST_F(cycle_connections, after_giving_up_a_lost_redis_is_an_error) {
  testing::redis_server own;
  tasks::app there(own.url());
  worker_context elsewhere(there.internals(), io, testing::part_config());
  cycle_connection lonely(elsewhere, {[](auto&&...) {}, [](auto&&...) {}});
  task_group connections(io);
  connections.spawn("lonely", [&] { return lonely.run(); });
  run([&]() -> awaitable<void> { co_await lonely.wait_connected(60s); });
  own.kill();
  bool failed = false;
  tasks.spawn("send", [&]() -> awaitable<void> {
    const worker_cycle cycle;
    try {
      co_await lonely.send(cycle, 1);
    } catch (const failure&) {
      failed = true;
    }
  });
  lonely.give_up();
  run([&]() -> awaitable<void> {
    co_await testing::eventually([&] { return failed; });
    lonely.stop();
    co_await connections.wait(60s);
    elsewhere.background.close();
    co_await elsewhere.background.wait(60s);
  });
}

TEST_F(cycle_connections, results_are_stored_unless_the_task_succeeded_before) {
  worker_cycle cycle;
  cycle.results.emplace_back("celery-task-meta-a", R"({"status": "SUCCESS", "result": 1})");
  send(cycle);
  worker_cycle later;
  later.results.emplace_back("celery-task-meta-a", R"({"status": "FAILURE"})");
  send(later);
  EXPECT_THAT(command("GET", "celery-task-meta-a").as_string(), ::testing::HasSubstr("SUCCESS"));
  EXPECT_GT(integer("TTL", "celery-task-meta-a"), 0);
}

TEST_F(cycle_connections, the_last_part_completes_a_chord) {
  command("SET", "celery-taskset-meta-g.s", 2);
  const json body = json_object{{"task", "add"}};
  for (const int index : {0, 1}) {
    worker_cycle cycle;
    cycle.chord_parts.push_back(
        part_of({"id", "root"}, "g", index, "m" + std::to_string(index), body, "SUCCESS", "1"));
    send(cycle);
    if (index == 0) {
      EXPECT_THAT(chords, IsEmpty());
    }
  }
  EXPECT_THAT(chords, ElementsAre(std::pair(std::string("g"), 2U)));
}

}  // namespace
}  // namespace skirmish::tasks
