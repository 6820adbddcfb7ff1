// What a session reads from and writes to: a TCP socket, or TLS on one. An AsyncReadStream and an
// AsyncWriteStream, as Asio calls them.
#pragma once

#include "core/asio.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <memory>
#include <utility>

namespace skirmish::http {

class stream {
 public:
  using socket = asio::ip::tcp::socket;
  using executor_type = socket::executor_type;

  // NOLINTNEXTLINE(google-explicit-constructor): a socket is a stream
  stream(socket plain) : plain_(std::move(plain)) {}
  // handshake() comes first.
  stream(socket connected, std::shared_ptr<asio::ssl::context> context)
      : plain_(connected.get_executor()),
        tls_(std::make_unique<tls_layer>(std::move(connected), std::move(context))) {}

  [[nodiscard]] bool is_tls() const noexcept { return tls_ != nullptr; }
  [[nodiscard]] executor_type get_executor() { return tcp().get_executor(); }
  // Below TLS.
  [[nodiscard]] socket& tcp() noexcept { return tls_ ? tls_->stream.next_layer() : plain_; }
  [[nodiscard]] const socket& tcp() const noexcept {
    return tls_ ? tls_->stream.next_layer() : plain_;
  }

  // False when the peer does not speak TLS as we do. A stream without TLS needs none.
  awaitable<bool> handshake();
  // Waits until a read might not have to; with TLS it returns at once, because bytes that were
  // received may be waiting to be decrypted.
  awaitable<error_code> wait_readable();
  // Says that nothing more is sent.
  awaitable<void> end_sending();
  // Reads and forgets what the peer still sends, until its end, an error or 16 MiB: closing before
  // that would reset the connection, and the peer might lose what was sent to it.
  awaitable<void> drain();

  void close() {
    error_code ignored;
    tcp().close(ignored);
  }

  // What can be written at once; would_block also where that cannot be told (TLS).
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, error_code& ec) {
    if (!tls_) return plain_.write_some(buffers, ec);
    ec = asio::error::would_block;
    return 0;
  }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return tls_ ? tls_->stream.async_read_some(buffers, std::forward<Token>(token))
                : plain_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return tls_ ? tls_->stream.async_write_some(buffers, std::forward<Token>(token))
                : plain_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  struct tls_layer {
    tls_layer(socket connected, std::shared_ptr<asio::ssl::context> of)
        : context(std::move(of)), stream(std::move(connected), *context) {}
    std::shared_ptr<asio::ssl::context> context;
    asio::ssl::stream<socket> stream;
  };

  socket plain_;
  std::unique_ptr<tls_layer> tls_;
};

}  // namespace skirmish::http
