// Stands between a client and a Redis server, and does to the replies what networks do.
#pragma once

#include "core/asio.hpp"
#include "core/run_loop.hpp"
#include "core/task_group.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace skirmish::cli {

// Listens on a free port of 127.0.0.1 and passes everything on to a Unix socket, on a thread of its
// own. All controls may be called from any thread.
class relay {
 public:
  explicit relay(std::string upstream);
  ~relay();
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] unsigned accepted() const noexcept { return accepted_; }

  // Leads new connections elsewhere, and closes those that are open.
  void lead_to(std::string upstream);
  // Replies are kept back until release_replies(). The connection stays open.
  void hold_replies() { held_ = true; }
  void release_replies() { held_ = false; }
  // Each piece of them arrives so much later.
  void delay_replies(std::chrono::milliseconds time) { delay_ = time; }
  // Lets so many more bytes of replies through, then closes the connection: a reply cut in the
  // middle.
  void cut_replies_after(std::int64_t bytes) { budget_bytes_ = bytes; }
  // Passes replies on in pieces of so many bytes; 0 for whole.
  void fragment_replies(std::size_t bytes) { piece_bytes_ = bytes; }
  // Closes every connection now.
  void cut();
  // Closes the clients' ends only: the server goes on to believe that they are there.
  void abandon();

 private:
  struct link;

  void close_all(bool keeps_servers_ends);
  awaitable<void> accept();
  awaitable<void> pass_requests(std::shared_ptr<link> at);
  awaitable<void> pass_replies(std::shared_ptr<link> at);

  event_loop io_{1};
  task_group tasks_{io_};
  std::string upstream_;
  asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  std::vector<std::weak_ptr<link>> links_;
  std::vector<std::shared_ptr<link>> abandoned_;  // whose servers' ends stay open
  std::atomic<unsigned> accepted_ = 0;
  std::atomic<bool> held_ = false;
  std::atomic<std::chrono::milliseconds> delay_{};
  std::atomic<std::int64_t> budget_bytes_ = -1;  // negative: no limit
  std::atomic<std::size_t> piece_bytes_ = 0;
  std::thread thread_;
};

}  // namespace skirmish::cli
