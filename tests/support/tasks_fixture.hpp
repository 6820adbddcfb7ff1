// The fixture of tests of the task system: the shared server, emptied, and a client.
#pragma once

#include "support/redis_server.hpp"
#include "support/task_worker.hpp"
#include "tasks/client_loop.hpp"

#include <mutex>
#include <string>
#include <vector>

namespace skirmish::testing {

// What tasks noted, in the order they did.
class notes {
 public:
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(text));
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  [[nodiscard]] std::size_t size() const { return all().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

class tasks_fixture : public ::testing::Test {
 protected:
  void SetUp() override { command("FLUSHALL"); }

  // One command to Redis, which must not answer with an error.
  template <class... Args>
  redis::value command(const Args&... args) {
    redis::request one;
    one.push(args...);
    auto& loop = app.internals().client();
    const auto work = [&]() -> awaitable<redis::value> {
      co_await loop.broker().wait_connected(std::chrono::seconds(10));
      auto replies = redis::checked(co_await loop.broker().exec(one));
      co_return std::move(replies.at(0));
    };
    return loop.block(work);
  }
  std::int64_t count(const char* how, const std::string& key) {
    return command(how, key).as_integer().value_or(-1);
  }
  // Nothing waits in the queue, nothing is held.
  bool is_drained(const std::string& queue) {
    return count("LLEN", queue) == 0 && count("HLEN", "unacked") == 0;
  }

  // Short intervals: what takes seconds in production takes a fraction here.
  static tasks::worker_config quick(std::vector<std::pair<std::string, int>> queues,
                                    std::size_t concurrency = 2) {
    tasks::worker_config c;
    c.queues = std::move(queues);
    c.concurrency = concurrency;
    c.heartbeat_interval = std::chrono::milliseconds{100};
    c.janitor_interval = std::chrono::milliseconds{100};
    c.dead_after = std::chrono::seconds{10};
    return c;
  }

  // The threads of a vanished worker may still use the app.
  ~tasks_fixture() override { task_worker::join_vanished(); }

  tasks::app app{shared_redis().url()};
};

}  // namespace skirmish::testing
