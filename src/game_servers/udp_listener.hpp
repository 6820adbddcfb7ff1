// The logs that game servers send by UDP (`logaddress_add`).
//
// What arrives is applied once: each server's lines are a numbered stream, and what Redis does not
// confirm is sent again under its number. What does not arrive is nobody's: UDP says neither that a
// datagram was lost or came twice on the way nor in which order they were sent. Metrics count what
// can be known: what the kernel dropped because nobody read it in time, and what was refused here.
#pragma once

#include "core/task_group.hpp"
#include "game_servers/event_writer.hpp"
#include "game_servers/game_servers.hpp"
#include "game_servers/udp_packet.hpp"
#include "ingest/ingest.hpp"
#include "metrics/registry.hpp"

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skirmish::game_servers {

class udp_listener {
 public:
  // Binds the socket. Throws failure when the address is none, or in use.
  udp_listener(asio::io_context& io, const settings& s, event_writer& writer,
               metrics::registry& metrics);

  // Both until stop(); give them to a task_group.
  awaitable<void> receive();
  awaitable<void> apply();

  // Receives no more, and waits a moment for what was received to be applied.
  awaitable<void> stop();

  [[nodiscard]] boost::asio::ip::udp::endpoint endpoint() const { return socket_.local_endpoint(); }

 private:
  struct server_log {
    std::string waiting;  // lines
    std::unique_ptr<ingest::log_parser> parser;
    std::string stream;      // empty: none is claimed
    std::int64_t claim = 0;  // of the stream
    std::uint64_t seq = 0;   // of the last frame that was written
  };

  void receive_some();
  void take(std::string_view datagram, const boost::asio::ip::udp::endpoint& from);
  void note_kernel_drops(std::uint32_t total);
  awaitable<void> apply_waiting(std::size_t server);
  awaitable<void> apply_lines(std::size_t server, std::string_view text);
  awaitable<void> write(std::size_t server, const log_block& block);
  enum class attempt { written, away, failed };
  awaitable<attempt> try_write(std::size_t server, const log_block& block);
  awaitable<void> rest(std::chrono::milliseconds pause);

  std::vector<udp_server> servers_;
  std::vector<server_log> logs_;  // of each server
  std::size_t queue_limit_bytes_;
  event_writer& writer_;
  boost::asio::ip::udp::socket socket_;
  asio::steady_timer wake_;
  asio::steady_timer pause_;
  std::vector<char> buffer_;
  std::size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::uint32_t kernel_drops_ = 0;

  metrics::counter& lines_;
  metrics::counter& unknown_lines_;
  metrics::counter& taken_;
  metrics::counter& queue_full_;
  std::array<metrics::counter*, 4> faults_{};  // by packet_fault; none has none
  metrics::counter& dropped_by_kernel_;
  metrics::counter& dropped_events_;
  metrics::gauge& waiting_;
};

}  // namespace skirmish::game_servers
