#include "http/stream.hpp"

#include <boost/asio/redirect_error.hpp>

#include <array>

namespace skirmish::http {

constexpr std::size_t drained_max_bytes = 16 << 20;

awaitable<bool> stream::handshake() {
  if (!tls_) co_return true;
  error_code ec;
  co_await tls_->stream.async_handshake(asio::ssl::stream_base::server,
                                        asio::redirect_error(use_awaitable, ec));
  co_return !ec;
}

awaitable<error_code> stream::wait_readable() {
  error_code ec;
  if (!tls_) co_await plain_.async_wait(socket::wait_read, asio::redirect_error(use_awaitable, ec));
  co_return ec;
}

awaitable<void> stream::end_sending() {
  error_code ec;
  // Also fails when the peer goes on sending: then it has been told all the same.
  if (tls_) co_await tls_->stream.async_shutdown(asio::redirect_error(use_awaitable, ec));
  tcp().shutdown(socket::shutdown_send, ec);
}

awaitable<void> stream::drain() {
  std::array<char, 2048> buffer;
  error_code ec;
  for (std::size_t total = 0; !ec && total < drained_max_bytes;)
    total += co_await tcp().async_read_some(asio::buffer(buffer),
                                            asio::redirect_error(use_awaitable, ec));
}

}  // namespace skirmish::http
