// The fixture of Redis tests of a task worker's parts: a connected context, and no worker.
#pragma once

#include "support/redis_fixture.hpp"
#include "testing/worker_parts.hpp"

#include <optional>

namespace skirmish::testing {

class worker_parts_fixture : public redis_fixture {
 protected:
  worker_parts_fixture() { add_tasks(app); }

  void SetUp() override {
    redis_fixture::SetUp();
    context.emplace(app.internals(), io, part_config());
    tasks.spawn("side", [this] { return context->side.run(); });
    run([this]() -> awaitable<void> {
      co_await context->side.wait_connected(std::chrono::seconds(60));
    });
  }
  void TearDown() override {
    context->background.close();
    run([this]() -> awaitable<void> {
      co_await context->background.wait(std::chrono::seconds(60));
    });
    context->side.stop();
    redis_fixture::TearDown();
  }

  // One command, which must not answer with an error.
  template <class... Args>
  redis::value command(const Args&... args) {
    redis::value out;
    run([&]() -> awaitable<void> {
      redis::request one;
      one.push(args...);
      auto replies = redis::checked(co_await redis.exec(std::move(one)));
      out = std::move(replies.at(0));
    });
    return out;
  }
  std::int64_t integer(const auto&... args) { return command(args...).as_integer().value_or(-1); }

  // What a worker that fetched this message has in Redis.
  void hold(const std::string& tag, const std::string& envelope, double since_s) {
    command("HSET", "unacked", tag, "[" + envelope + R"(, "", "q"])");
    command("ZADD", "unacked_index", std::to_string(since_s), tag);
  }

  tasks::app app{shared_redis().url()};
  std::optional<tasks::worker_context> context;
  tasks::held_jobs held;
};

}  // namespace skirmish::testing
