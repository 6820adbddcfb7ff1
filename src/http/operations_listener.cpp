#include "http/operations_listener.hpp"

#include <chrono>

namespace skirmish::http {
namespace {

using namespace std::chrono_literals;

awaitable<result<principal>> nobody(const request&) { co_return principal{}; }

}  // namespace

operations_listener::operations_listener(asio::io_context& io, const asio::ip::tcp::endpoint& at,
                                         const config& settings, metrics::registry& metrics)
    : group_(io), routes_(nobody, metrics), listener_(listen(io, at), settings, routes_, metrics) {
  auto live = [](exchange&) -> awaitable<response> { co_return text_response("ok\n"); };
  auto numbers = [&metrics](exchange&) -> awaitable<response> {
    co_return text_response(metrics.text(), "text/plain; version=0.0.4");
  };
  routes_.add({verb::get, "/healthz", access::anyone, "Is the process alive?", live});
  routes_.add({verb::get, "/metrics", access::anyone, "Metrics as Prometheus text", numbers});
}

void operations_listener::start() { listener_.start(group_); }

awaitable<void> operations_listener::stop() {
  listener_.stop();
  group_.close();
  co_await group_.wait(2s);
}

}  // namespace skirmish::http
