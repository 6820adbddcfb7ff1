// What open consoles cost a server: WebSockets with what the page Now subscribes to, and the routes
// that it reads, on threads of their own.
#pragma once

#include "bench/chat_receivers.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace skirmish::cli {

class console_readers {
 public:
  // Opens them; they read until this is destroyed. Throws failure{unavailable}.
  console_readers(const server_address& server, const std::string& api_key, std::int64_t count);
  ~console_readers();
  console_readers(const console_readers&) = delete;
  console_readers& operator=(const console_readers&) = delete;

  struct totals {
    std::uint64_t messages = 0;
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;  // closed sockets and refused requests
  };
  [[nodiscard]] totals so_far() const noexcept { return {messages_, requests_, failures_}; }

 private:
  void read_pushes(const std::stop_token& ended);
  void read_routes(const std::stop_token& ended);

  server_address server_;
  std::string key_;
  std::int64_t count_;
  std::vector<std::unique_ptr<chat_socket>> sockets_;
  std::atomic<std::uint64_t> messages_{0};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::jthread pushes_;
  std::jthread routes_;
};

}  // namespace skirmish::cli
