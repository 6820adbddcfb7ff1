// The periodic scheduler: one leads, another takes over, missed runs by policy.
#include "tasks/beat/beat.hpp"

#include "support/tasks_fixture.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::becomes_true;

// A scheduler on a thread of its own.
class running_beat {
 public:
  running_beat(app& owner, std::vector<periodic_task> fixed, milliseconds lease)
      : state_(std::make_shared<state>(owner, std::move(fixed), lease)), thread_([this] {
          const auto work = [this]() -> awaitable<void> { co_await state_->scheduler.run(); };
          asio::co_spawn(state_->io, work, [](const std::exception_ptr& problem) {
            EXPECT_FALSE(problem) << "the scheduler failed";
          });
          state_->io.run();
        }) {}
  ~running_beat() { stop(); }
  running_beat(const running_beat&) = delete;
  running_beat& operator=(const running_beat&) = delete;

  void stop() {
    if (!thread_.joinable()) return;
    asio::post(state_->io, [this] { state_->scheduler.stop(); });
    thread_.join();
  }
  // Like a process that is killed: it keeps the lead until its lease ends.
  void vanish() {
    state_->io.stop();
    thread_.join();
    testing::bury(std::move(state_));
  }

 private:
  struct state {
    state(app& owner, std::vector<periodic_task> fixed, milliseconds lease)
        : scheduler(owner.internals(), io, std::move(fixed), lease) {}
    asio::io_context io{1};
    beat scheduler;
  };
  std::shared_ptr<state> state_;
  std::thread thread_;
};

class beats : public testing::tasks_fixture {
 protected:
  static periodic_task entry(std::string name, json_object definition) {
    definition["task"] = "tick";
    definition["queue"] = "beat-" + name;
    auto made = parse_periodic(std::move(name), definition);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  }
  double last_of(const std::string& name) {
    return command("HGET", "skirmish:tasks:beat:last", name).as_double().value_or(0);
  }
  void set_last(const std::string& name, std::chrono::seconds ago) {
    command("HSET", "skirmish:tasks:beat:last", name,
            std::to_string(unix_now_s() - static_cast<double>(ago.count())));
  }
};

TEST_F(beats, a_failover_neither_doubles_nor_misses_a_run) {
  const std::vector<periodic_task> fixed{entry("tick", {{"every", "1s"}, {"args", json_array{7}}})};
  auto first = std::make_unique<running_beat>(app, fixed, 600ms);
  ASSERT_TRUE(becomes_true([&] { return count("LLEN", "beat-tick") >= 2; }));
  running_beat second(app, fixed, 600ms), third(app, fixed, 600ms);
  const auto token = command("GET", "skirmish:tasks:beat:leader").as_string();
  first->vanish();
  ASSERT_TRUE(becomes_true([&] {
    const auto now = command("GET", "skirmish:tasks:beat:leader").as_string();
    return !now.empty() && now != token;
  }));
  const auto sent = count("LLEN", "beat-tick");
  ASSERT_TRUE(becomes_true([&] { return count("LLEN", "beat-tick") >= sent + 3; }));
  second.stop();
  third.stop();
  // The first entry was noted without a run; each second after it has one message, whoever led.
  const auto message_count = count("LLEN", "beat-tick");
  const auto oldest = command("LINDEX", "beat-tick", -1).as_string();
  message m(oldest);
  ASSERT_TRUE(parse_envelope(m));
  EXPECT_EQ(m.task, "tick");
  // The time of the last run is a whole number of periods after that of the first.
  EXPECT_EQ(count("HLEN", "skirmish:tasks:beat:last"), 1);
  EXPECT_GE(message_count, 5);
}

TEST_F(beats, every_run_is_a_whole_period_after_another) {
  const std::vector<periodic_task> fixed{entry("tick", {{"every", "500ms"}})};
  auto first = std::make_unique<running_beat>(app, fixed, 3s);
  ASSERT_TRUE(becomes_true([&] { return last_of("tick") > 0; }));
  const auto begin = last_of("tick");
  ASSERT_TRUE(becomes_true([&] { return count("LLEN", "beat-tick") >= 2; }));
  first->stop();  // gives the lead away
  running_beat second(app, fixed, 3s);
  ASSERT_TRUE(becomes_true([&] { return count("LLEN", "beat-tick") >= 5; }));
  second.stop();
  const auto periods = (last_of("tick") - begin) / 0.5;
  EXPECT_NEAR(periods, std::round(periods), 0.01);
  EXPECT_LE(count("LLEN", "beat-tick"), static_cast<std::int64_t>(std::round(periods)));
}

TEST_F(beats, a_missed_run_is_made_up_for_once_or_skipped) {
  const std::vector<periodic_task> fixed{
      entry("once", {{"every", "600s"}, {"missed", "once"}}),
      entry("skip", {{"every", "600s"}, {"missed", "skip"}}),
      entry("daily", {{"cron", "0 4 * * *"}, {"missed", "once"}}),
      entry("new", {{"every", "600s"}})};
  // Nobody scheduled for more than three periods; the latest was due 300 s ago.
  set_last("once", 2100s);
  set_last("skip", 2100s);
  set_last("daily", std::chrono::hours{24 * 40});
  const auto before = last_of("once");
  running_beat one(app, fixed, 1s);
  ASSERT_TRUE(becomes_true([&] { return last_of("new") > 0 && last_of("skip") > before + 1; }));
  ASSERT_TRUE(becomes_true([&] { return count("LLEN", "beat-once") == 1; }));
  ASSERT_TRUE(becomes_true([&] { return count("LLEN", "beat-daily") == 1; }));
  one.stop();
  EXPECT_NEAR(last_of("once"), before + 1800, 0.01);
  EXPECT_NEAR(last_of("skip"), before + 1800, 0.5);
  EXPECT_EQ(count("LLEN", "beat-once"), 1);
  EXPECT_EQ(count("LLEN", "beat-skip"), 0);
  EXPECT_EQ(count("LLEN", "beat-daily"), 1);
  EXPECT_EQ(count("LLEN", "beat-new"), 0);
  EXPECT_GT(last_of("daily"), unix_now_s() - 86'400 - 60);
}

TEST_F(beats, entries_in_redis_are_followed_while_it_runs) {
  running_beat one(app, {}, 1s);
  command("HSET", "skirmish:tasks:beat", "own",
          R"({"task": "tick", "every": "100ms", "queue": "beat-own", "kwargs": {"a": 1}})");
  command("HSET", "skirmish:tasks:beat", "broken", "{");
  EXPECT_TRUE(becomes_true([&] { return count("LLEN", "beat-own") >= 2; }));
  // Each step of the scheduler reads the entries, so once this one has run again, those before it
  // have been read after the removal.
  command("HSET", "skirmish:tasks:beat", "witness",
          R"({"task": "tick", "every": "100ms", "queue": "beat-witness"})");
  const auto witness_runs = [&](int more) {
    const auto wanted = count("LLEN", "beat-witness") + more;
    return becomes_true([&, wanted] { return count("LLEN", "beat-witness") >= wanted; });
  };
  ASSERT_TRUE(witness_runs(1));
  command("HDEL", "skirmish:tasks:beat", "own");
  ASSERT_TRUE(witness_runs(3));
  const auto length = count("LLEN", "beat-own");
  ASSERT_TRUE(witness_runs(5));
  EXPECT_EQ(count("LLEN", "beat-own"), length);
}

// What somebody else wrote there stops neither the others nor the scheduler.
TEST_F(beats, bad_entries_in_redis_stop_nobody) {
  const std::string hash = "skirmish:tasks:beat";
  command("SET", "beat-wrong", "this is no list");
  command("HSET", hash, "a",
          R"({"task": "tick", "cron": "*/4294967296 * * * *", "queue": "beat-a"})");
  command("HSET", hash, "b", R"({"task": "tick", "cron": "0 0 31 2 *", "queue": "beat-b"})");
  command("HSET", hash, "c", R"({"task": "tick", "every": "100ms", "queue": "beat-wrong"})");
  command("HSET", hash, "d", "[" + std::string(100'000, '['));
  command("HSET", hash, "e", R"({"task": "tick", "every": "1s", "expires_s": 1e300})");
  command("HSET", hash, "f", R"({"task": "tick", "every": "100ms", "queue": "beat-f"})");
  command("HSET", "skirmish:tasks:beat:last", "f", "1e300");
  command("HSET", hash, "good", R"({"task": "tick", "every": "100ms", "queue": "beat-good"})");
  running_beat one(app, {}, 1s);
  EXPECT_TRUE(becomes_true([&] { return count("LLEN", "beat-good") >= 3; }));
  one.stop();
}

}  // namespace
}  // namespace skirmish::tasks
