// What benchmarks of the services share: a directory, a Redis to run against, and percentiles.
#pragma once

#include "core/asio.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "redis/embedded_server.hpp"

#include <boost/asio/io_context.hpp>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::cli {

// A directory of its own, removed at the end. Throws failure, unavailable when there cannot be one.
class scratch_directory {
 public:
  scratch_directory();
  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

// The server of a URL, or one of its own in a temporary directory that goes away with it. A server
// that is given must be empty: benchmarks flush nothing.
class bench_redis {
 public:
  explicit bench_redis(asio::io_context& io) : io_(io), tasks_(io) {}
  ~bench_redis();
  bench_redis(const bench_redis&) = delete;
  bench_redis& operator=(const bench_redis&) = delete;

  // Throws failure, conflict when the server that was given holds data.
  awaitable<void> start(std::string url);
  awaitable<void> stop();

  [[nodiscard]] const redis::connection_config& config() const noexcept { return config_; }
  [[nodiscard]] redis::client& client() noexcept { return *client_; }
  [[nodiscard]] task_group& tasks() noexcept { return tasks_; }
  // Of the server; 0 when it is not our own. One that is killed is started again.
  [[nodiscard]] pid_t pid() const noexcept { return server_ ? server_->pid() : 0; }
  // For a client whose events somebody takes over before it runs.
  void run(redis::client& other);

 private:
  asio::io_context& io_;
  task_group tasks_;
  std::optional<scratch_directory> directory_;
  std::unique_ptr<redis::embedded_server> server_;
  redis::connection_config config_;
  std::unique_ptr<redis::client> client_;
  std::vector<redis::client*> others_;
};

// A process of this machine, as the kernel accounts for it. Costs microseconds.
struct process_times {
  std::chrono::nanoseconds worked{};  // on a core, all threads
  std::chrono::nanoseconds waited{};  // ready to run, but without a core; the main thread
};
process_times times_of(pid_t process);

struct latency_summary {
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};
// Sorts its argument; all zero when it is empty.
latency_summary summarise(std::vector<double>& milliseconds);

}  // namespace skirmish::cli
