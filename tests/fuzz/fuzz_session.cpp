// Any bytes through a real HTTP session: parser, limits, routes, and the WebSocket behind it.
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "fed_socket.hpp"
#include "http/session.hpp"
#include "http/websocket.hpp"

#include <cstdint>

namespace {

using namespace skirmish;
using namespace skirmish::http;

awaitable<result<principal>> authenticate(const request& r) {
  const auto key = r.header("x-api-key");
  if (key.empty()) co_return principal{};
  if (key == "k") co_return principal{role::server, "k"};
  if (key == "d") throw failure(errc::unavailable, "the store is down");
  co_return error{errc::unauthenticated, "unknown key"};
}

struct server {
  server() : routes(authenticate, metrics) {
    settings.http.body_limit_bytes = 4096;
    settings.http.anonymous_limit_bytes = 1024;
    settings.http.header_limit_bytes = 2048;
    log::set_level("off");
    auto echo = [](exchange& x) -> awaitable<response> { co_return json_response(x.body); };
    auto thing = [](exchange& x) -> awaitable<response> {
      require(is_valid_id(x.path("id")));
      co_return text_response(x.path("id"));
    };
    routes.add(
        {verb::post, "/e", access::server, "Echo", echo, shape::map_of(shape::anything(), 100)});
    routes.add({verb::get, "/t/{id}", access::anyone, "A thing", thing, {}, {limit_parameter()}});
    auto serve_socket = [](exchange&, websocket& socket) {
      return socket.run([&socket](std::string_view text) -> awaitable<void> {
        require(is_valid_utf8(text));
        socket.send(text);
        co_return;
      });
    };
    routes.add_websocket("/w", serve_socket);
    auto answer = freeze(text_response("fast"));
    routes.add_fast("/f", [answer](const fast_request&) { return &answer; });
  }

  config settings;
  metrics::registry metrics;
  metrics::counter& closed_slow = metrics.add_counter("skirmish_connections_closed_slow_total", "");
  router routes;
  asio::io_context io{1};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static server s;
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  fed_socket peer(s.io);
  auto subject = [](asio::ip::tcp::socket socket) -> awaitable<void> {
    session one(std::move(socket), s.settings, s.routes, buffer_budget(s.metrics, 1 << 20),
                std::make_shared<const trusted_proxies>(), s.closed_slow);
    co_await one.run();
  };
  const auto sent = peer.feed(bytes, 1 + std::size_t{data[0]} * 16, subject);
  require(sent.empty() || sent.starts_with("HTTP/1.1 "));
  require(s.metrics.add_gauge("skirmish_http_buffer_bytes", "").value() == 0);
  return 0;
}
