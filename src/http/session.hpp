// One connection, from accept to close. Internal to the listener.
#pragma once

#include "config.hpp"
#include "http/buffer_budget.hpp"
#include "http/client_address.hpp"
#include "http/request_head.hpp"
#include "http/router.hpp"
#include "http/stream.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace skirmish::http {

class websocket;

class session {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  session(stream connection, const config& settings, const router& routes, buffer_budget budget,
          std::shared_ptr<const trusted_proxies> proxies, metrics::counter& closed_slow);
  ~session();

  // Reads who the client is from the header of a proxy that sends one (http.proxy_protocol). False
  // when it does not come. Call it first, of connections from a trusted proxy.
  awaitable<bool> read_proxy_header();
  // Where the connection comes from; after read_proxy_header(), the proxy's client.
  [[nodiscard]] const asio::ip::address& peer() const noexcept { return peer_; }

  // Serves requests until either side ends the connection. Whatever it throws, the connection is
  // closed when the session is destroyed.
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
  [[nodiscard]] std::optional<ban> ban_of_client() const;
  awaitable<bool> read_head(exchange& x);
  awaitable<bool> read_body(exchange& x, std::size_t limit_bytes);
  awaitable<bool> read_more(std::size_t chunk_bytes);
  awaitable<bool> flush_before_reading();
  awaitable<bool> write_out();
  awaitable<void> refuse(const exchange& x, refusal why);
  awaitable<void> refuse_head(exchange& x, refusal why);
  awaitable<void> end_with(const exchange& x, response r);
  std::optional<response> refuse_handshake(exchange& x) const;
  awaitable<void> upgrade(exchange& x, const websocket_handler& handle);
  std::optional<refusal> parse_head();
  std::optional<refusal> take_head(exchange& x);
  std::optional<refusal> parse_body();
  [[nodiscard]] std::size_t body_limit_of(const exchange& x, const route& to) const;
  void append(const exchange& x, const response& r, bool keep_alive);
  void append_answer(const exchange& x, const response& r, bool has_body, bool keep_alive);
  void append_end_of_head(std::string_view request_id, bool keep_alive);
  bool hold(std::size_t more_bytes = 0);
  void set_deadline(std::chrono::milliseconds from_now);

  stream stream_;
  const config& settings_;
  const router& routes_;
  buffer_share share_;
  std::unique_ptr<parser> parser_;
  std::shared_ptr<const trusted_proxies> proxies_;
  metrics::counter& closed_slow_;
  asio::ip::address peer_;
  asio::ip::address client_;  // of the request; another one than peer_ behind a proxy
  std::string address_;       // the same as limits count it; empty when it is a proxy's
  std::string in_;            // bytes read: [in_start_, size) not yet parsed
  std::size_t in_start_ = 0;
  std::string out_;             // responses not yet written
  std::size_t head_bytes_ = 0;  // of the request being read or answered
  std::size_t body_bytes_ = 0;
  time_point deadline_;
  bool idle_ = true;  // between requests
  bool stopping_ = false;
  std::shared_ptr<websocket> websocket_;
};

}  // namespace skirmish::http
