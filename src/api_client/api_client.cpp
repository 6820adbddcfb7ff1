#include "api_client/api_client.hpp"

#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "core/url.hpp"
#include "http/websocket_codec.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <sodium.h>

namespace skirmish::cli {
namespace {

namespace beast = boost::beast;
namespace ws = http::ws;
using asio::ip::tcp;

constexpr std::size_t message_limit_bytes = 64 << 20;
constexpr std::size_t read_buffer_bytes = 256 * 1024;

awaitable<tcp::socket> connect_to(asio::io_context& io, const server_address& server) {
  tcp::resolver resolver(io);
  tcp::socket socket(io);
  try {
    const auto found = co_await resolver.async_resolve(server.host, server.port, use_awaitable);
    co_await asio::async_connect(socket, found, use_awaitable);
    socket.set_option(tcp::no_delay(true));
  } catch (const boost::system::system_error& e) {
    throw failure(errc::unavailable, fmt::format("cannot reach {}:{}: {}", server.host, server.port,
                                                 e.code().message()));
  }
  co_return socket;
}

// An IPv6 address stands in brackets there.
std::string host_field(const server_address& server) {
  return server.host.find(':') == std::string::npos ? server.host : "[" + server.host + "]";
}

}  // namespace

result<server_address> parse_server_url(std::string_view url) {
  const error bad{errc::invalid_argument, "--url must look like http://127.0.0.1:8090"};
  const auto parts = split_url(url);
  if (!parts || parts->scheme != "http" || parts->user_info) return bad;
  const auto host = split_host(parts->hosts);
  if (!host) return bad;
  server_address out;
  out.host = host->host;
  if (host->port) out.port = *host->port;
  const auto port = parse_integer(out.port);
  if (out.host.empty() || !port || *port < 1 || *port > 65'535) return bad;
  return out;
}

struct http_client::connection {
  tcp::socket socket;
  beast::flat_buffer buffer;
};

http_client::http_client(asio::io_context& io, server_address server, std::string api_key)
    : io_(io), server_(std::move(server)), api_key_(std::move(api_key)) {}
http_client::~http_client() = default;

awaitable<void> http_client::connect() {
  auto socket = co_await connect_to(io_, server_);
  connection_ = std::make_unique<connection>(connection{std::move(socket), {}});
}

awaitable<api_response> http_client::get(std::string target) {
  return exchange("GET", std::move(target), {});
}

awaitable<api_response> http_client::get_now(std::string target) {
  return exchange("GET", std::move(target), {}, "no-cache");
}

awaitable<api_response> http_client::send(std::string method, std::string target,
                                          json::value body) {
  return exchange(std::move(method), std::move(target), body.is_null() ? "" : json_text_of(body));
}

awaitable<api_response> http_client::exchange(std::string method, std::string target,
                                              std::string body, std::string_view cache_control) {
  if (!connection_) co_await connect();
  beast::http::request<beast::http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(beast::http::field::host, host_field(server_));
  if (!api_key_.empty()) request.set("X-API-Key", api_key_);
  if (!cache_control.empty()) request.set(beast::http::field::cache_control, cache_control);
  if (!body.empty()) request.set(beast::http::field::content_type, "application/json");
  request.body() = std::move(body);
  request.prepare_payload();
  beast::http::response<beast::http::string_body> response;
  try {
    co_await beast::http::async_write(connection_->socket, request, use_awaitable);
    co_await beast::http::async_read(connection_->socket, connection_->buffer, response,
                                     use_awaitable);
  } catch (const boost::system::system_error& e) {
    connection_.reset();
    throw failure(errc::unavailable, "the server went away: " + e.code().message());
  }
  if (!response.keep_alive()) connection_.reset();
  api_response out;
  out.status = static_cast<int>(response.result_int());
  out.text = std::move(response.body());
  error_code ec;
  out.body = json::parse(out.text, ec);
  if (ec) out.body = nullptr;
  co_return out;
}

websocket_client::websocket_client(asio::io_context& io, server_address server, std::string api_key)
    : socket_(io),
      server_(std::move(server)),
      api_key_(std::move(api_key)),
      mask_(randombytes_random()) {}
websocket_client::~websocket_client() = default;

awaitable<void> websocket_client::connect(std::string target) {
  socket_ = co_await connect_to(static_cast<asio::io_context&>(socket_.get_executor().context()),
                                server_);
  in_.assign(read_buffer_bytes, '\0');
  in_start_ = in_end_ = 0;
  out_.clear();
  closed_ = false;
  unsigned char nonce[16];
  randombytes_buf(nonce, sizeof nonce);
  char key[sodium_base64_ENCODED_LEN(sizeof nonce, sodium_base64_VARIANT_ORIGINAL)];
  sodium_bin2base64(key, sizeof key, nonce, sizeof nonce, sodium_base64_VARIANT_ORIGINAL);
  const auto credentials = api_key_.empty() ? std::string() : "X-API-Key: " + api_key_ + "\r\n";
  const auto request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{}\r\n",
      target, host_field(server_), key, credentials);
  try {
    co_await asio::async_write(socket_, asio::buffer(request), use_awaitable);
    std::size_t end = std::string::npos;
    while (end == std::string::npos && in_end_ < in_.size()) {
      in_end_ += co_await socket_.async_read_some(
          asio::buffer(in_.data() + in_end_, in_.size() - in_end_), use_awaitable);
      end = std::string_view(in_.data(), in_end_).find("\r\n\r\n");
    }
    const std::string_view head(in_.data(), std::min(end, in_end_));
    if (!head.starts_with("HTTP/1.1 101") ||
        head.find(ws::accept_key(key)) == std::string_view::npos)
      throw failure(errc::unavailable, "no WebSocket at " + target + ": " +
                                           std::string(head.substr(0, head.find('\r'))));
    in_start_ = end + 4;
  } catch (const boost::system::system_error& e) {
    throw failure(errc::unavailable, "the server went away: " + e.code().message());
  }
}

void websocket_client::send(std::string_view text) {
  // The mask guards old proxies against scripts in browsers; a counter from a random start does for
  // a tool.
  ws::encode_masked(out_, ws::opcode::text, text, mask_++);
}

awaitable<void> websocket_client::flush() {
  if (out_.empty()) co_return;
  const auto writing = std::exchange(out_, {});
  error_code ec;
  co_await asio::async_write(socket_, asio::buffer(writing),
                             asio::redirect_error(use_awaitable, ec));
  if (ec) throw failure(errc::unavailable, "the server went away: " + ec.message());
}

std::optional<std::string_view> websocket_client::next_message() {
  while (!closed_) {
    const auto d = ws::decode(std::span(in_.data() + in_start_, in_end_ - in_start_), false,
                              message_limit_bytes);
    if (d.status == ws::decode_status::need_more) return std::nullopt;
    if (d.status != ws::decode_status::frame)
      throw failure(errc::unavailable, "the server sent a bad frame");
    in_start_ += d.consumed;
    if (d.value.op == ws::opcode::text) return d.value.payload;
    if (d.value.op == ws::opcode::ping)
      ws::encode_masked(out_, ws::opcode::pong, d.value.payload, mask_++);
    if (d.value.op == ws::opcode::close) {
      closed_ = true;
      const auto& p = d.value.payload;
      if (p.size() >= 2)
        close_code_ = static_cast<std::uint16_t>(static_cast<unsigned char>(p[0]) << 8 |
                                                 static_cast<unsigned char>(p[1]));
    }
  }
  return std::nullopt;
}

awaitable<std::optional<std::string_view>> websocket_client::receive() {
  while (true) {
    if (auto message = next_message()) co_return message;
    if (closed_) co_return std::nullopt;
    co_await flush();
    std::memmove(in_.data(), in_.data() + in_start_, in_end_ - in_start_);
    in_end_ -= in_start_;
    in_start_ = 0;
    if (in_end_ == in_.size()) in_.resize(in_.size() * 2);
    error_code ec;
    in_end_ +=
        co_await socket_.async_read_some(asio::buffer(in_.data() + in_end_, in_.size() - in_end_),
                                         asio::redirect_error(use_awaitable, ec));
    if (ec == asio::error::operation_aborted) co_return std::nullopt;
    if (ec) throw failure(errc::unavailable, "the server went away: " + ec.message());
  }
}

void websocket_client::close() {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace skirmish::cli
