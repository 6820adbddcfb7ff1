// Accepts connections on one thread and runs a session for each: HTTP/1.1 with keep-alive and
// pipelining, limits on header, body, time and number, and the change to WebSocket.
#pragma once

#include "config.hpp"
#include "core/event.hpp"
#include "core/task_group.hpp"
#include "http/buffer_budget.hpp"
#include "http/client_address.hpp"
#include "http/connection_counts.hpp"
#include "http/router.hpp"
#include "http/tls.hpp"
#include "metrics/registry.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <list>
#include <memory>

namespace skirmish::http {

class session;

// "127.0.0.1:8090" or "[::1]:8090" as an endpoint.
result<asio::ip::tcp::endpoint> parse_endpoint(std::string_view text);

// Opens a listening socket that other threads may share the port of (SO_REUSEPORT). Throws
// failure{unavailable}.
asio::ip::tcp::acceptor listen(asio::io_context& io, const asio::ip::tcp::endpoint& at);

class listener {
 public:
  // Listeners that share `counts` share http.connections_per_address. With a certificate every
  // connection speaks TLS. Throws failure{invalid_argument} when http.trusted_proxies is wrong.
  listener(asio::ip::tcp::acceptor acceptor, const config& settings, const router& routes,
           metrics::registry& metrics,
           std::shared_ptr<connection_counts> counts = std::make_shared<connection_counts>(),
           const tls_certificate* certificate = nullptr);
  ~listener();

  // Starts accepting, and the sweep that enforces deadlines, in `group`.
  void start(task_group& group);

  // Stops accepting, closes idle connections and tells WebSockets to reconnect (3001). Busy ones
  // finish their request.
  void stop();

  [[nodiscard]] asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }
  [[nodiscard]] std::size_t open_connections() const noexcept { return sessions_->size(); }

 private:
  struct connection;
  using session_list = std::list<session*>;

  awaitable<void> accept_loop(task_group& group);
  void serve(asio::ip::tcp::socket socket, std::string counted, task_group& group);
  awaitable<void> sweep_loop();
  // The address whose connections are counted together; empty when they are not.
  [[nodiscard]] std::string counted_peer(const asio::ip::tcp::socket& socket) const;

  asio::ip::tcp::acceptor acceptor_;
  const config& settings_;
  const router& routes_;
  const tls_certificate* certificate_;
  // Shared with every connection, which leaves it when it ends: that may be after the listener.
  std::shared_ptr<session_list> sessions_ = std::make_shared<session_list>();
  buffer_budget budget_;
  std::shared_ptr<const trusted_proxies> proxies_;
  std::shared_ptr<connection_counts> counts_;
  event sweep_wake_;  // set by the first connection, and at the end
  bool is_sweep_idle_ = false;
  bool stopping_ = false;
  metrics::gauge& open_;
  metrics::counter& refused_;
  metrics::counter& closed_slow_;
};

}  // namespace skirmish::http
