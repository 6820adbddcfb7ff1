#include "http/websocket.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

namespace skirmish::http {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t read_chunk_bytes = 16 * 1024;

}  // namespace

websocket::websocket(asio::ip::tcp::socket socket, std::string leftover, websocket_limits limits)
    : socket_(std::move(socket)),
      limits_(limits),
      in_(std::move(leftover)),
      last_read_(std::chrono::steady_clock::now()),
      last_ping_(last_read_),
      drained_(socket_.get_executor()) {}

awaitable<void> websocket::run(std::function<awaitable<void>(std::string_view)> on_message) {
  const auto self = shared_from_this();
  while (!failed_) {
    if (co_await take_frames(on_message) == step::end) break;
    // Move the incomplete frame to the front and read behind it. The buffer shrinks back when it
    // has been emptied, so an idle socket holds no read buffer.
    in_.erase(0, in_start_);
    in_start_ = 0;
    if (in_.empty()) {
      std::string().swap(in_);
      error_code ready;
      co_await socket_.async_wait(asio::ip::tcp::socket::wait_read,
                                  asio::redirect_error(use_awaitable, ready));
      if (ready) break;
    }
    const auto kept = in_.size();
    in_.resize(kept + read_chunk_bytes);
    error_code ec;
    const auto got = co_await socket_.async_read_some(
        asio::buffer(in_.data() + kept, read_chunk_bytes), asio::redirect_error(use_awaitable, ec));
    in_.resize(kept + got);
    if (ec) break;
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
      close(big ? ws::close_code::too_big : ws::close_code::protocol_error,
            big ? "message too big" : "bad frame");
      co_return step::end;
    }
    in_start_ += d.consumed;
    const auto& f = d.value;
    if (f.op >= ws::opcode::close) {
      if (control(f) == step::end) co_return step::end;
      continue;
    }
    if ((f.op == ws::opcode::continuation) != fragmented_) {
      close(ws::close_code::protocol_error, "bad fragment");
      co_return step::end;
    }
    if (f.op == ws::opcode::binary) {
      close(ws::close_code::unsupported, "send text");
      co_return step::end;
    }
    if (closing_) continue;
    if (f.final && !fragmented_) {
      co_await on_message(f.payload);
      continue;
    }
    if (message_.size() + f.payload.size() > limits_.message_bytes) {
      close(ws::close_code::too_big, "message too big");
      co_return step::end;
    }
    message_ += f.payload;
    fragmented_ = !f.final;
    if (f.final) {
      const auto whole = std::move(message_);
      message_.clear();
      co_await on_message(whole);
    }
  }
}

websocket::step websocket::control(const ws::frame& f) {
  if (f.op == ws::opcode::ping && !closing_) {
    ws::encode(pending_, ws::opcode::pong, f.payload);
    schedule_flush();
  }
  if (f.op != ws::opcode::close) return step::more;
  if (!closing_) {
    closing_ = true;
    ws::encode(pending_, ws::opcode::close, f.payload.substr(0, 2));
    schedule_flush();
  }
  return step::end;
}

bool websocket::has_room_for(std::size_t bytes) {
  if (closing_ || failed_) return false;
  if (queued_bytes() + bytes <= limits_.queue_bytes) return true;
  // The peer does not read: what waits for it is of no use any more.
  pending_.clear();
  close(ws::close_code::too_slow, "reading too slowly");
  return false;
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
    drained_.expires_at(std::chrono::steady_clock::time_point::max());
    error_code ignored;
    co_await drained_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

void websocket::close(std::uint16_t code, std::string_view reason) {
  if (closing_ || failed_) return;
  closing_ = true;
  ws::encode(pending_, ws::opcode::close, ws::close_payload(code, reason));
  last_read_ = std::chrono::steady_clock::now();  // tick() gives the peer a few seconds to answer
  schedule_flush();
}

void websocket::abort() {
  failed_ = true;
  error_code ignored;
  socket_.close(ignored);
  drained_.cancel();
}

void websocket::tick(std::chrono::steady_clock::time_point now) {
  const auto silent = now - last_read_;
  if ((closing_ && silent > 3s) || silent > 3 * limits_.ping_interval) {
    abort();
  } else if (!closing_ && now - last_ping_ >= limits_.ping_interval) {
    last_ping_ = now;
    ws::encode(pending_, ws::opcode::ping, "");
    schedule_flush();
  }
}

void websocket::schedule_flush() {
  if (flush_scheduled_ || !writing_.empty()) return;
  flush_scheduled_ = true;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void websocket::flush() {
  if (failed_ || !writing_.empty() || pending_.empty()) return;
  writing_.swap(pending_);
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](error_code ec, std::size_t) {
                      // Free a large buffer: an idle socket should be small.
                      if (self->writing_.capacity() > 4096)
                        std::string().swap(self->writing_);
                      else
                        self->writing_.clear();
                      if (ec) self->abort();
                      if (self->pending_.empty())
                        self->drained_.cancel();
                      else
                        self->flush();
                    });
}

// Waits (at most 2 s) until the queue has left, so that a close frame is not cut off.
awaitable<void> websocket::drain() {
  const auto limit = std::chrono::steady_clock::now() + 2s;
  while (!failed_ && queued_bytes() > 0 && std::chrono::steady_clock::now() < limit) {
    drained_.expires_at(limit);
    error_code ignored;
    co_await drained_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  failed_ = true;
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

}  // namespace skirmish::http
