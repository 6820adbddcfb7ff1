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

void client_loop::look_out(const std::atomic<bool>& ready) noexcept {
  static const bool one_core = std::thread::hardware_concurrency() < 2;
  constexpr auto moment = std::chrono::microseconds(60);
  constexpr int rest = 50;
  if (one_core || looking_out_.exchange(true, std::memory_order_acquire)) return;
  if (look_outs_to_skip_.load(std::memory_order_relaxed) > 0) {
    look_outs_to_skip_.fetch_sub(1, std::memory_order_relaxed);
  } else {
    const auto until = std::chrono::steady_clock::now() + moment;
    while (!ready.load(std::memory_order_acquire)) {
      if (std::chrono::steady_clock::now() < until) continue;
      look_outs_to_skip_.store(rest, std::memory_order_relaxed);
      break;
    }
  }
  looking_out_.store(false, std::memory_order_release);
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
