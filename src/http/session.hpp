// One connection, from accept to close. Internal to the listener.
#pragma once

#include "config.hpp"
#include "http/router.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace skirmish::http {

class websocket;

class session {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  session(asio::ip::tcp::socket socket, const config& settings, const router& routes);
  ~session();

  // Serves requests until either side ends the connection.
  awaitable<void> run();

  // Called about twice a second: closes the connection when a deadline has passed.
  void tick(time_point now);

  // The server is stopping: close when idle, else after the response under way.
  void stop();

 private:
  struct parser;  // Beast's request parser, kept out of this header

  // Each returns false when the connection is done.
  awaitable<bool> serve_fast();      // until a request comes that is not for the fast path
  awaitable<bool> serve_requests();  // one request; false also when it became a WebSocket and ended
  bool answer_fast();
  awaitable<bool> read_request();
  awaitable<bool> read_more();
  awaitable<void> refuse(int status, error e);
  bool take_request(exchange& x);
  void append(const exchange& x, const response& r, bool keep_alive);
  void append_end_of_head(std::string_view request_id, bool keep_alive);
  awaitable<bool> write_out();
  awaitable<void> upgrade(exchange& x, const websocket_handler& handle);
  void set_deadline(std::chrono::milliseconds from_now);

  asio::ip::tcp::socket socket_;
  const config& settings_;
  const router& routes_;
  std::unique_ptr<parser> parser_;
  std::string in_;  // bytes read: [in_start_, size) not yet parsed
  std::size_t in_start_ = 0;
  std::string out_;  // responses not yet written
  time_point deadline_;
  bool idle_ = true;  // between requests
  bool stopping_ = false;
  std::shared_ptr<websocket> websocket_;
};

}  // namespace skirmish::http
