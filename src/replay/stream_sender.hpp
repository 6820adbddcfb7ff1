// Sends numbered frames as one stream, so that each is applied once, whatever breaks in between.
#pragma once

#include "api_client/api_client.hpp"
#include "ingest/frames.hpp"
#include "replay/frame_text.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <string>

namespace skirmish::cli {

struct sender_options {
  // How long a server that does not answer is waited for before sending gives up.
  std::chrono::seconds patience{30};
  // Gives up at once when this becomes true; may be null.
  const std::atomic<bool>* stop = nullptr;
};

struct sent_events {
  std::uint64_t accepted = 0;   // events the server applied now
  std::uint64_t duplicate = 0;  // events of frames it had already
  std::uint64_t rejected = 0;   // events it refused one by one
};

// Every function throws failure when the server refuses, or stays away for longer than the
// patience.
class stream_sender {
 public:
  stream_sender(asio::io_context& io, const server_address& server, const std::string& api_key,
                std::string stream_id, sender_options options);

  // False when the server had this frame before we came; it is counted and needs no sending.
  awaitable<bool> wants(const ingest::frame& f);

  // Makes the frame's players and levels exist and sends its events. Waits while too many frames
  // are not acknowledged. Frames are passed in the order of their numbers, without gaps.
  awaitable<void> send(const ingest::frame& f);

  // Waits until everything is acknowledged.
  awaitable<void> drain();

  void close() { socket_.close(); }
  [[nodiscard]] const sent_events& counted() const noexcept { return counted_; }

 private:
  awaitable<void> create(std::string target, json::value body);
  awaitable<void> connect();
  awaitable<void> attend();
  awaitable<void> rest();
  bool understand(std::string_view text);
  void resume(std::uint64_t committed);
  void acknowledge(std::uint64_t seq);
  void warn_once(const char* what, std::string_view why);
  void give_up_after(std::chrono::steady_clock::time_point limit, const std::string& problem) const;

  http_client http_;
  websocket_client socket_;
  asio::steady_timer timer_;
  std::string stream_id_;
  sender_options options_;
  std::deque<encoded_frame> unacknowledged_;
  std::uint64_t committed_at_start_ = 0;
  bool connected_ = false;
  bool connected_before_ = false;
  std::uint64_t rejected_in_flight_ = 0;
  bool warned_ = false;
  sent_events counted_;
};

}  // namespace skirmish::cli
