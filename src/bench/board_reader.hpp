// Reads one route at a steady rate, on a thread of its own, while something else loads the server.
#pragma once

#include "api_client/api_client.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace skirmish::cli {

// Latencies count from the moment a request was due, so a slow answer is not hidden (no coordinated
// omission).
class board_reader {
 public:
  board_reader(server_address server, std::string target, std::int64_t rate);
  ~board_reader() { stop(); }
  board_reader(const board_reader&) = delete;
  board_reader& operator=(const board_reader&) = delete;

  // Ends the reading; then the others may be asked.
  void stop();
  std::vector<double>& latencies_ms() noexcept { return latencies_ms_; }
  // Answers other than 200; a server that could not be reached counts, and ends the reading.
  [[nodiscard]] std::int64_t failed() const noexcept { return failed_; }

 private:
  awaitable<void> read(asio::io_context& io);

  server_address server_;
  std::string target_;
  std::int64_t rate_;
  std::atomic<bool> stopping_{false};
  std::vector<double> latencies_ms_;
  std::int64_t failed_ = 0;
  std::thread thread_;
};

}  // namespace skirmish::cli
