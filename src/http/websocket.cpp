#include "http/websocket.hpp"

#include "core/parse.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

namespace skirmish::http {
namespace {

using namespace std::chrono_literals;

// A socket that has sent only a part of a frame holds a small buffer; one that sends much is read
// in large pieces.
constexpr std::size_t small_read_bytes = 2 * 1024;
constexpr std::size_t large_read_bytes = 16 * 1024;
// For the peer's close frame, and for a close frame of ours to leave.
constexpr auto close_patience = 3s;

constexpr std::string_view no_memory = "too much is being sent and read here; reconnect later";

}  // namespace

websocket::websocket(stream connection, std::string leftover, websocket_limits limits,
                     buffer_share share)
    : stream_(std::move(connection)),
      limits_(limits),
      share_(std::move(share)),
      in_(std::move(leftover)),
      last_write_(std::chrono::steady_clock::now()),
      last_read_(last_write_),
      last_ping_(last_write_),
      drained_(stream_.get_executor()) {}

awaitable<void> websocket::run(std::function<awaitable<void>(std::string_view)> on_message) {
  const auto self = shared_from_this();
  while (!failed_) {
    if (co_await take_frames(on_message) == step::end) break;
    // Move the incomplete frame to the front and read behind it. The buffer shrinks back when it
    // has been emptied, so an idle socket holds no read buffer.
    in_.erase(0, in_start_);
    in_start_ = 0;
    // Before anything is awaited: its rest may never come.
    if (!partial_since_ && (!in_.empty() || fragmented_))
      partial_since_ = std::chrono::steady_clock::now();
    if (in_.empty()) {
      std::string().swap(in_);
      hold();
      const auto problem = co_await stream_.wait_readable();
      if (problem) break;
    }
    const auto kept = in_.size();
    const auto wanted = next_read_bytes();
    if (kept > 0 && !hold(wanted)) {
      close(ws::close_code::too_many_requests, no_memory);
      break;
    }
    in_.resize(kept + wanted);
    error_code ec;
    const auto got = co_await stream_.async_read_some(asio::buffer(in_.data() + kept, wanted),
                                                      asio::redirect_error(use_awaitable, ec));
    in_.resize(kept + got);
    if (ec) break;
    last_read_bytes_ = got;
    last_read_ = std::chrono::steady_clock::now();
  }
  co_await drain();
}

awaitable<websocket::step> websocket::take_frames(
    const std::function<awaitable<void>(std::string_view)>& on_message) {
  while (true) {
    auto d = ws::decode(std::span(in_).subspan(in_start_), true, limits_.message_bytes);
    if (d.status == ws::decode_status::need_more) co_return step::more;
    if (d.status != ws::decode_status::frame) {
      const bool big = d.status == ws::decode_status::too_big;
      co_return end_with(big ? ws::close_code::too_big : ws::close_code::protocol_error,
                         big ? "message too big" : "bad frame");
    }
    in_start_ += d.consumed;
    const auto& f = d.value;
    if (f.op >= ws::opcode::close) {
      if (!fragmented_) partial_since_.reset();
      if (control(f) == step::end) co_return step::end;
      continue;
    }
    if ((f.op == ws::opcode::continuation) != fragmented_)
      co_return end_with(ws::close_code::protocol_error, "bad fragment");
    if (f.op == ws::opcode::binary) co_return end_with(ws::close_code::unsupported, "send text");
    if (closing_) continue;
    if (f.final && !fragmented_) {
      partial_since_.reset();
      if (!is_valid_utf8(f.payload)) co_return end_with(ws::close_code::bad_data, "not UTF-8");
      co_await on_message(f.payload);
      continue;
    }
    if (message_.size() + f.payload.size() > limits_.message_bytes)
      co_return end_with(ws::close_code::too_big, "message too big");
    message_ += f.payload;
    fragmented_ = !f.final;
    if (!hold()) co_return end_with(ws::close_code::too_many_requests, no_memory);
    if (fragmented_) continue;
    partial_since_.reset();
    const auto whole = std::move(message_);
    message_.clear();
    if (!is_valid_utf8(whole)) co_return end_with(ws::close_code::bad_data, "not UTF-8");
    co_await on_message(whole);
  }
}

websocket::step websocket::control(const ws::frame& f) {
  if (f.op == ws::opcode::ping && !closing_) {
    // Only the newest ping needs an answer (RFC 6455, section 5.5.3): a peer that pings and does
    // not read makes nothing grow.
    pong_ = f.payload;
    pong_due_ = true;
    schedule_flush();
  }
  if (f.op != ws::opcode::close) return step::more;
  if (const auto wrong = ws::check_close_payload(f.payload))
    return end_with(*wrong, "bad close frame");
  if (!closing_) {
    start_closing();
    ws::encode(pending_, ws::opcode::close, f.payload.substr(0, 2));
    schedule_flush();
  }
  return step::end;
}

websocket::step websocket::end_with(std::uint16_t code, std::string_view reason) {
  close(code, reason);
  return step::end;
}

// A whole read was filled, so there is likely more; after a small one there is likely not.
std::size_t websocket::next_read_bytes() const noexcept {
  return last_read_bytes_ < small_read_bytes ? small_read_bytes : large_read_bytes;
}

// What waits for a peer that does not read is of no use any more.
void websocket::too_slow(std::string_view reason) {
  std::string().swap(pending_);
  close(ws::close_code::too_slow, reason);
  hold();
}

bool websocket::has_room_for(std::size_t bytes) {
  if (closing_ || failed_) return false;
  if (queued_bytes() + bytes > limits_.queue_bytes) {
    too_slow("reading too slowly");
    return false;
  }
  if (!hold(bytes)) {
    too_slow(no_memory);
    return false;
  }
  return true;
}

void websocket::send(std::string_view text) {
  if (!has_room_for(text.size())) return;
  ws::encode(pending_, ws::opcode::text, text);
  schedule_flush();
}

void websocket::send_encoded(std::string_view frames) {
  if (!has_room_for(frames.size())) return;
  pending_ += frames;
  schedule_flush();
}

awaitable<void> websocket::wait_sent() {
  while (!failed_ && queued_bytes() > 0) {
    co_await drained_.wait();
  }
}

void websocket::close(std::uint16_t code, std::string_view reason) {
  if (closing_ || failed_) return;
  if (code == ws::close_code::too_slow && limits_.closed_slow) limits_.closed_slow->add();
  start_closing();
  ws::encode(pending_, ws::opcode::close, ws::close_payload(code, reason));
  schedule_flush();
}

void websocket::start_closing() {
  closing_ = true;
  closing_since_ = std::chrono::steady_clock::now();
}

void websocket::abort() {
  failed_ = true;
  stream_.close();
  drained_.set();
}

void websocket::tick(time_point now) {
  if (wrote_ || writing_.empty()) last_write_ = now;
  wrote_ = false;
  if (closing_) {
    if (now - closing_since_ > close_patience) abort();
  } else if (now - last_read_ > 3 * limits_.ping_interval) {
    abort();
  } else if (now - last_write_ > limits_.patience) {
    too_slow("not reading");
  } else if (partial_since_ && now - *partial_since_ > limits_.patience) {
    too_slow("sending a message too slowly");
  } else if (now - last_ping_ >= limits_.ping_interval) {
    last_ping_ = now;
    ws::encode(pending_, ws::opcode::ping, "");
    schedule_flush();
  }
}

void websocket::schedule_flush() {
  if (flush_scheduled_ || !writing_.empty()) return;
  flush_scheduled_ = true;
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void websocket::flush() {
  if (failed_ || !writing_.empty()) return;
  if (pong_due_ && !closing_) ws::encode(pending_, ws::opcode::pong, pong_);
  pong_due_ = false;
  if (pending_.empty()) return;
  writing_.swap(pending_);
  // Called before each write to the socket, so also after one that got some bytes through.
  auto note_progress = [this](error_code ec, std::size_t) {
    wrote_ = true;
    return ec ? 0 : writing_.size();
  };
  asio::async_write(stream_, asio::buffer(writing_), note_progress,
                    [self = shared_from_this()](error_code ec, std::size_t) {
                      // Free a large buffer: an idle socket should be small.
                      if (self->writing_.capacity() > 4096)
                        std::string().swap(self->writing_);
                      else
                        self->writing_.clear();
                      if (ec) self->abort();
                      self->hold();
                      self->flush();
                      if (self->queued_bytes() == 0) self->drained_.set();
                    });
}

// Waits (at most 2 s) until the queue has left, so that a close frame is not cut off; then reads on
// until the peer has closed too, or tick() ends it: closing at once would reset the connection, and
// the peer might never see why.
awaitable<void> websocket::drain() {
  const auto limit = std::chrono::steady_clock::now() + 2s;
  while (!failed_ && queued_bytes() > 0) {
    const bool has_changed = co_await drained_.wait_until(limit);
    if (!has_changed) break;
  }
  if (!failed_ && queued_bytes() == 0) {
    if (!closing_) start_closing();
    co_await stream_.end_sending();
    co_await stream_.drain();
  }
  abort();
}

}  // namespace skirmish::http
