#include "tasks/client_loop.hpp"

#include "core/run_loop.hpp"

#include <boost/asio/post.hpp>

namespace skirmish::tasks {

client_loop::client_loop(const redis::connection_config& broker,
                         const redis::connection_config& results)
    : broker_(io_, broker, "skirmish-tasks"), subscriber_(io_, results, "skirmish-tasks-results") {
  const bool apart = redis::to_string_masked(broker) != redis::to_string_masked(results) ||
                     broker.database != results.database;
  if (apart) results_ = std::make_unique<redis::client>(io_, results, "skirmish-tasks-results");
  tasks_.spawn("tasks_broker", [this] { return broker_.run(); });
  if (results_) tasks_.spawn("tasks_results", [this] { return results_->run(); });
  tasks_.spawn("tasks_subscriber", [this] { return subscriber_.run(); });
  thread_ = std::thread([this] { run_loop(io_); });
}

client_loop::~client_loop() {
  asio::post(io_, [this] {
    broker_.stop();
    if (results_) results_->stop();
    subscriber_.stop();
    asio::co_spawn(
        io_,
        [this]() -> awaitable<void> {
          co_await tasks_.wait(std::chrono::seconds(5));
          io_.stop();
        },
        [](const std::exception_ptr&) {});
  });
  thread_.join();
}

}  // namespace skirmish::tasks
