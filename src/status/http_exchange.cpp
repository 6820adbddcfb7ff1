#include "status/http_exchange.hpp"

#include "status/http_answer.hpp"
#include "status/net.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

namespace skirmish::status {
namespace {

using asio::ip::tcp;

template <class Stream>
awaitable<int> exchange_on(Stream& stream, const std::string& request) {
  co_await asio::async_write(stream, asio::buffer(request), use_awaitable);
  std::string received(http_answer_limit_bytes, '\0');
  std::size_t size = 0;
  while (true) {
    error_code ec;
    size += co_await stream.async_read_some(
        asio::buffer(received.data() + size, received.size() - size),
        asio::redirect_error(use_awaitable, ec));
    const auto status =
        net::value_or_throw(parse_http_status(std::string_view(received).substr(0, size)));
    if (status) co_return *status;
    if (ec) throw boost::system::system_error(ec);
  }
}

}  // namespace

awaitable<http_outcome> exchange_http(probe_target target, std::string request) {
  const auto executor = co_await asio::this_coro::executor;
  http_outcome out;
  if (target.kind == probe_kind::http) {
    tcp::socket socket(executor);
    out.latency_ms = co_await net::connect(socket, target);
    out.status = co_await exchange_on(socket, request);
    co_return out;
  }
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_default_verify_paths();
  tls.set_verify_mode(asio::ssl::verify_peer);
  asio::ssl::stream<tcp::socket> stream(executor, tls);
  stream.set_verify_callback(asio::ssl::host_name_verification(target.host));
  // Servers that hold several names choose the certificate by this one; OpenSSL copies it. The
  // macro SSL_set_tlsext_host_name does this with a C cast.
  auto name = target.host;
  SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
           name.data());
  out.latency_ms = co_await net::connect(stream.next_layer(), target);
  co_await stream.async_handshake(asio::ssl::stream_base::client, use_awaitable);
  out.status = co_await exchange_on(stream, request);
  co_return out;
}

}  // namespace skirmish::status
