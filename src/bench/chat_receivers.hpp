// The receiving side of `skirmish bench chat`: many WebSockets, one thread, as few system calls as
// there can be.
#pragma once

#include "api_client/api_client.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::cli {

// Counts of times in steps of 50 µs, up to 10 s.
class latencies {
 public:
  void add(std::int64_t ns);
  // The time that `share` (0 to 1) of them do not exceed, in milliseconds.
  [[nodiscard]] double quantile_ms(double share) const;
  void clear();

 private:
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(200'001);
  std::uint64_t total_ = 0;
};

// One subscriber, blocking until it is subscribed; then its descriptor does not block.
class chat_socket {
 public:
  // `target` may name a stream: "/api/ws?stream=x".
  chat_socket(const server_address& server, const std::string& api_key,
              const std::string& target = "/api/ws");
  ~chat_socket();
  chat_socket(const chat_socket&) = delete;
  chat_socket& operator=(const chat_socket&) = delete;

  // Asks and returns the answer.
  std::string subscribe(const std::string& channel, const std::string& since);
  void send(std::string_view text);
  // Frames that the caller has encoded.
  void send_encoded(std::string_view frames);
  // The next text message; blocks.
  std::string wait_for_text();
  // Reads once and hands on each text message. False when the server has closed it.
  bool read(const std::function<void(std::string_view)>& on_text);
  [[nodiscard]] int descriptor() const noexcept { return fd_; }

  std::uint64_t next_seq = 0;  // of the message that is due
  std::string last_id;

 private:
  int fd_ = -1;
  std::string in_;
};

// What the bench writes in a message: its number and when it was sent, padded.
struct numbered {
  std::uint64_t seq = 0;
  std::int64_t sent_ns = 0;
};
std::string numbered_text(numbered n, std::size_t size);
std::optional<numbered> read_numbered(std::string_view message);
std::int64_t now_ns();

}  // namespace skirmish::cli
