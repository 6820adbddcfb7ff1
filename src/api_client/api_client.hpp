// The tools' side of the public API: HTTP requests and WebSocket messages to a Skirmish server.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::cli {

namespace json = boost::json;

// Where a server is: the parsed form of `http://host:port`.
struct server_address {
  std::string host;
  std::string port = "80";
};
result<server_address> parse_server_url(std::string_view url);

struct api_response {
  int status = 0;
  json::value body;  // null when the answer is no JSON
  std::string text;
};

// One keep-alive connection, opened when it is needed and again after it was closed. Requests one
// at a time. Throws failure{unavailable} when the server cannot be reached or goes away in the
// middle.
class http_client {
 public:
  http_client(asio::io_context& io, server_address server, std::string api_key);
  ~http_client();

  awaitable<api_response> get(std::string target);
  // With `Cache-Control: no-cache`: nothing that was kept for others.
  awaitable<api_response> get_now(std::string target);
  awaitable<api_response> send(std::string method, std::string target, json::value body);

 private:
  struct connection;
  awaitable<void> connect();
  awaitable<api_response> exchange(std::string method, std::string target, std::string body,
                                   std::string_view cache_control = {});

  asio::io_context& io_;
  server_address server_;
  std::string api_key_;
  std::unique_ptr<connection> connection_;
};

// One WebSocket. send() only queues; flush() writes what is queued. receive() waits for the next
// message.
class websocket_client {
 public:
  websocket_client(asio::io_context& io, server_address server, std::string api_key);
  ~websocket_client();

  // `target` such as "/api/ws?stream=x". Throws failure{unavailable}.
  awaitable<void> connect(std::string target);

  void send(std::string_view text);
  awaitable<void> flush();
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return out_.size(); }

  // The next text message; the view dies at the next call. Answers pings. Nothing when the server
  // closed the socket (see close_code()); throws failure{unavailable} when the connection broke.
  awaitable<std::optional<std::string_view>> receive();
  [[nodiscard]] std::uint16_t close_code() const noexcept { return close_code_; }
  void close();

 private:
  // The next whole frame that is already in the buffer.
  std::optional<std::string_view> next_message();

  asio::ip::tcp::socket socket_;
  server_address server_;
  std::string api_key_;
  std::string in_;
  std::size_t in_start_ = 0;
  std::size_t in_end_ = 0;
  std::string out_;
  std::uint32_t mask_ = 0;
  std::uint16_t close_code_ = 0;
  bool closed_ = false;
};

}  // namespace skirmish::cli
