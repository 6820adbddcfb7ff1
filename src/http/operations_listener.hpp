// /healthz and /metrics of a process that serves nothing else, such as a worker.
#pragma once

#include "http/listener.hpp"
#include "http/router.hpp"

namespace skirmish::http {

// Belongs to one event loop. Callers are nobody: every route is for anyone.
class operations_listener {
 public:
  // Throws failure{unavailable} when the address is taken.
  operations_listener(asio::io_context& io, const asio::ip::tcp::endpoint& at,
                      const config& settings, metrics::registry& metrics);

  // For what this process alone answers; before start().
  [[nodiscard]] router& routes() noexcept { return routes_; }

  void start();
  // Closes what is open and waits for it, at most two seconds.
  awaitable<void> stop();

  [[nodiscard]] asio::ip::tcp::endpoint endpoint() const { return listener_.endpoint(); }

 private:
  task_group group_;
  router routes_;
  listener listener_;
};

}  // namespace skirmish::http
