// What the history keeps, and that it forgets the rest.
#include "tasks/admin/history.hpp"

#include "support/tasks_fixture.hpp"
#include "tasks/protocol/event.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::becomes_true;
using ::testing::ElementsAre;

class task_history : public testing::tasks_fixture {
 protected:
  static constexpr std::size_t limit = 10;

  void SetUp() override {
    tasks_fixture::SetUp();
    auto& loop = app.internals().client();
    const auto start = [&]() -> awaitable<void> {
      recorder_ = std::make_unique<history_recorder>(loop.io(), loop.broker(), loop.subscriber(),
                                                     app.internals().keys, limit);
      recording_ = std::make_unique<task_group>(loop.io());
      recording_->spawn("history", [this] { return recorder_->run(); });
      co_return;
    };
    loop.block(start);
    ASSERT_TRUE(becomes_true([&] { return count("PUBSUB", "NUMPAT") == 1; }));
  }
  void TearDown() override {
    const auto stop = [&]() -> awaitable<void> {
      recording_->close();
      co_await recording_->wait(10s);
      recording_.reset();
      recorder_.reset();
    };
    app.internals().client().block(stop);
  }

  void tell(std::string_view node, std::string_view type, std::string_view id,
            std::string_view more = {}) {
    event_writer writer{std::string(node)};
    std::string fields = ", \"uuid\": ";
    append_json_string(fields, id);
    fields += more;
    command("PUBLISH", app.internals().keys.event_channel("task.one"), writer.single(type, fields));
  }
  std::vector<std::string> index(const std::string& name) {
    return command("ZRANGE", key(name), 0, -1).as_strings();
  }
  static std::string key(const std::string& name) { return "skirmish:tasks:history:" + name; }

  std::unique_ptr<history_recorder> recorder_;
  std::unique_ptr<task_group> recording_;
};

TEST_F(task_history, keeps_the_newest_in_every_index) {
  for (int i = 0; i < 30; ++i) {
    const auto id = "t" + std::to_string(i);
    tell("a@test", "task-received", id, R"(, "name": "add", "retries": 0)");
    tell("a@test", "task-succeeded", id, R"(, "result": "3", "runtime": 0.5)");
  }
  ASSERT_TRUE(becomes_true([&] {
    const auto all = index("all");
    return all.size() == limit && all.back() == "t29" && count("HLEN", key("task:t29")) > 5;
  }));
  for (const char* name : {"name:add", "worker:a@test", "state:SUCCESS"})
    EXPECT_EQ(index(name), index("all")) << name;
  EXPECT_EQ(count("EXISTS", key("task:t0")), 0);
  EXPECT_EQ(count("ZCARD", key("state:RECEIVED")), 0);
}

TEST_F(task_history, a_task_stands_under_the_worker_that_had_it_last) {
  tell("a@test", "task-received", "moved", R"(, "name": "add")");
  ASSERT_TRUE(becomes_true([&] { return index("worker:a@test").size() == 1; }));
  tell("b@test", "task-received", "moved", R"(, "name": "add")");
  ASSERT_TRUE(becomes_true([&] { return index("worker:b@test").size() == 1; }));
  EXPECT_THAT(index("worker:a@test"), ElementsAre());
}

TEST_F(task_history, nothing_outlives_its_time) {
  const auto week_s = std::int64_t{7} * 86'400;
  const auto old = std::to_string(unix_now_s() - static_cast<double>(week_s) - 60);
  // Their hashes have expired: only the indexes still know them.
  for (const char* name : {"all", "name:add", "worker:a@test", "state:RECEIVED"})
    command("ZADD", key(name), old, "old");
  tell("a@test", "task-received", "new", R"(, "name": "add")");
  ASSERT_TRUE(becomes_true([&] { return count("EXISTS", key("task:new")) == 1; }));
  for (const char* name : {"all", "name:add", "worker:a@test", "state:RECEIVED"}) {
    EXPECT_THAT(index(name), ElementsAre("new")) << name;
    EXPECT_NEAR(static_cast<double>(count("TTL", key(name))), static_cast<double>(week_s), 60);
  }
}

}  // namespace
}  // namespace skirmish::tasks
