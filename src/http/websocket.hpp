// One accepted WebSocket: messages in, a bounded queue out.
#pragma once

#include "core/asio.hpp"
#include "core/event.hpp"
#include "http/buffer_budget.hpp"
#include "http/stream.hpp"
#include "http/websocket_codec.hpp"
#include "metrics/registry.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::http {

struct websocket_limits {
  std::size_t message_bytes = 1 << 20;
  std::size_t queue_bytes = 1 << 20;
  // How long a message may take from its first byte, and a write without any progress.
  std::chrono::milliseconds patience{30'000};
  std::chrono::milliseconds ping_interval{25'000};
  metrics::counter* closed_slow = nullptr;  // counts those that are closed with 3008
};

// Used on its own thread only. Kept alive by shared_ptr while a write is under way.
class websocket : public std::enable_shared_from_this<websocket> {
 public:
  // `leftover` holds bytes that were read behind the handshake.
  websocket(stream connection, std::string leftover, websocket_limits limits, buffer_share share);

  // Reads until the peer or close() ends it. `on_message` gets each text message; the view dies
  // when it returns. The next message waits for it: that is the back-pressure.
  awaitable<void> run(std::function<awaitable<void>(std::string_view)> on_message);

  // Queues a text message. A reader too slow for the queue bound is closed with 3008. Messages
  // queued in one turn of the loop leave in one write.
  void send(std::string_view text);

  // The same for whole frames that the caller has encoded (once, for many sockets).
  void send_encoded(std::string_view frames);
  // Waits until all that was queued has left, or the socket is of no more use.
  awaitable<void> wait_sent();

  // Says goodbye and ends run(). Later calls do nothing.
  void close(std::uint16_t code, std::string_view reason);

  // Ends at once, without a word. For deadlines.
  void abort();

  // Called every second or so by the listener: pings, and ends a peer that has been silent for
  // three intervals, that sends a message too slowly or that does not read (3008).
  void tick(std::chrono::steady_clock::time_point now);

  [[nodiscard]] bool is_open() const noexcept { return !closing_; }
  [[nodiscard]] std::size_t queued_bytes() const noexcept {
    return pending_.size() + writing_.size();
  }

 private:
  enum class step { more, end };
  awaitable<step> take_frames(const std::function<awaitable<void>(std::string_view)>& on_message);
  step control(const ws::frame& f);
  step end_with(std::uint16_t code, std::string_view reason);
  void start_closing();
  void too_slow(std::string_view reason);
  bool has_room_for(std::size_t bytes);
  bool hold(std::size_t more_bytes = 0) {
    return share_.hold(in_.capacity() + message_.size() + queued_bytes() + more_bytes);
  }
  [[nodiscard]] std::size_t next_read_bytes() const noexcept;
  void schedule_flush();
  void flush();
  awaitable<void> drain();

  using time_point = std::chrono::steady_clock::time_point;

  stream stream_;
  websocket_limits limits_;
  buffer_share share_;
  std::string in_;  // bytes read and not yet decoded: [in_start_, size)
  std::size_t in_start_ = 0;
  std::size_t last_read_bytes_ = 0;
  std::string message_;  // fragments of a message under way
  bool fragmented_ = false;
  std::optional<time_point> partial_since_;  // when the message under way began
  std::string pending_;                      // frames to write next
  std::string writing_;                      // frames being written
  std::string pong_;                         // answers the newest ping
  bool pong_due_ = false;
  bool flush_scheduled_ = false;
  bool closing_ = false;  // a close frame has been queued
  bool failed_ = false;   // the socket is of no more use
  bool wrote_ = false;    // some bytes, since the last tick
  time_point last_write_;
  time_point last_read_;
  time_point last_ping_;
  time_point closing_since_;
  event drained_;
};

}  // namespace skirmish::http
