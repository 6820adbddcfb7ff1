// Running something against the Redis that the settings name.
#pragma once

#include "app.hpp"
#include "cli/cli.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"

#include <chrono>
#include <exception>

namespace skirmish::cli {

// Awaits `work` with a connection to the configured Redis.
template <class Work>
awaitable<void> with_redis(const config& c, asio::io_context& io, Work work) {
  const auto at = redis_config_of(c);
  if (!at) throw usage_error{at.error().message};
  redis::client client(io, *at, "skirmish-operator");
  task_group group(io);
  group.spawn("redis", [&client] { return client.run(); });
  std::exception_ptr problem;
  try {
    co_await client.wait_connected(std::chrono::seconds(5));
    co_await work(client);
  } catch (...) {
    problem = std::current_exception();
  }
  client.stop();
  co_await group.wait(std::chrono::seconds(2));
  if (problem) std::rethrow_exception(problem);
}

}  // namespace skirmish::cli
