#include "status/probe.hpp"

#include "status/a2s.hpp"
#include "status/http_answer.hpp"
#include "status/minecraft_ping.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <array>

namespace skirmish::status {
namespace {

using asio::ip::tcp;
using asio::ip::udp;
using steady = std::chrono::steady_clock;

// A lost UDP request is sent again after this part of the time-out.
constexpr int udp_attempts = 3;
constexpr int http_status_bad = 400;

struct answer {
  server_info info;
  double latency_ms = 0;
};

double milliseconds_since(steady::time_point start) {
  return std::chrono::duration<double, std::milli>(steady::now() - start).count();
}

template <class T>
T value_or_throw(result<T> outcome) {
  if (!outcome) throw failure(outcome.error().code, outcome.error().message);
  return std::move(*outcome);
}

template <class Protocol>
auto resolve(const probe_target& target) -> awaitable<typename Protocol::resolver::results_type> {
  typename Protocol::resolver resolver(co_await asio::this_coro::executor);
  const auto port = std::to_string(target.port);
  co_return co_await resolver.async_resolve(target.host, port, use_awaitable);
}

// Connects; the time it takes is one round trip.
awaitable<double> connect(tcp::socket& socket, const probe_target& target) {
  const auto places = co_await resolve<tcp>(target);
  const auto start = steady::now();
  co_await asio::async_connect(socket, places, use_awaitable);
  const auto took = milliseconds_since(start);
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  co_return took;
}

awaitable<answer> ask_tcp(probe_target target, std::chrono::milliseconds) {
  tcp::socket socket(co_await asio::this_coro::executor);
  answer out;
  out.latency_ms = co_await connect(socket, target);
  co_return out;
}

awaitable<answer> ask_minecraft(probe_target target, std::chrono::milliseconds) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await connect(socket, target);
  const auto request = minecraft_request(target.host, target.port);
  const auto start = steady::now();
  co_await asio::async_write(socket, asio::buffer(request), use_awaitable);
  answer out;
  std::string received;
  std::array<char, 8192> chunk{};
  while (true) {
    error_code ec;
    const auto got = co_await socket.async_read_some(asio::buffer(chunk),
                                                     asio::redirect_error(use_awaitable, ec));
    if (ec == asio::error::eof) throw failure(errc::unavailable, "minecraft: closed early");
    if (ec) throw boost::system::system_error(ec);
    if (received.empty()) out.latency_ms = milliseconds_since(start);
    received.append(chunk.data(), got);
    if (auto parsed = value_or_throw(parse_minecraft_answer(received))) {
      out.info = std::move(*parsed);
      co_return out;
    }
  }
}

template <class Stream>
awaitable<void> ask_http_on(Stream& stream, const probe_target& target) {
  const auto request = "GET " + target.path + " HTTP/1.1\r\nHost: " + authority(target) +
                       "\r\nUser-Agent: skirmish\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  co_await asio::async_write(stream, asio::buffer(request), use_awaitable);
  std::string received(http_answer_limit_bytes, '\0');
  std::size_t size = 0;
  while (true) {
    error_code ec;
    size += co_await stream.async_read_some(
        asio::buffer(received.data() + size, received.size() - size),
        asio::redirect_error(use_awaitable, ec));
    const auto status =
        value_or_throw(parse_http_status(std::string_view(received).substr(0, size)));
    if (status && *status >= http_status_bad)
      throw failure(errc::unavailable, "http: status " + std::to_string(*status));
    if (status) co_return;
    if (ec) throw boost::system::system_error(ec);
  }
}

awaitable<answer> ask_http(probe_target target, std::chrono::milliseconds) {
  const auto executor = co_await asio::this_coro::executor;
  answer out;
  if (target.kind == probe_kind::http) {
    tcp::socket socket(executor);
    out.latency_ms = co_await connect(socket, target);
    co_await ask_http_on(socket, target);
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
  out.latency_ms = co_await connect(stream.next_layer(), target);
  co_await stream.async_handshake(asio::ssl::stream_base::client, use_awaitable);
  co_await ask_http_on(stream, target);
  co_return out;
}

// A connected socket receives from the asked server only.
awaitable<answer> ask_a2s(probe_target target, std::chrono::milliseconds timeout) {
  const auto places = co_await resolve<udp>(target);
  udp::socket socket(co_await asio::this_coro::executor);
  co_await asio::async_connect(socket, places, use_awaitable);
  const auto patience = timeout / udp_attempts;
  a2s_query query;
  answer out;
  std::string datagram;
  while (true) {
    const auto request = query.request();
    const auto start = steady::now();
    co_await socket.async_send(asio::buffer(request), use_awaitable);
    auto next = a2s_query::step::wait;
    while (next == a2s_query::step::wait) {
      datagram.resize(65'536);
      const auto token = asio::cancel_after(patience, asio::as_tuple(use_awaitable));
      const auto [ec, size] = co_await socket.async_receive(asio::buffer(datagram), token);
      const auto state = co_await asio::this_coro::cancellation_state;
      if (ec == asio::error::operation_aborted &&
          state.cancelled() == asio::cancellation_type::none)
        break;  // the request or its answer was lost: ask again
      if (ec) throw boost::system::system_error(ec);
      next = value_or_throw(query.receive(std::string_view(datagram).substr(0, size)));
    }
    if (next != a2s_query::step::done) continue;
    out.latency_ms = milliseconds_since(start);
    out.info = query.info();
    co_return out;
  }
}

awaitable<answer> ask(probe_target target, std::chrono::milliseconds timeout) {
  switch (target.kind) {
    case probe_kind::a2s: return ask_a2s(std::move(target), timeout);
    case probe_kind::minecraft: return ask_minecraft(std::move(target), timeout);
    case probe_kind::tcp: return ask_tcp(std::move(target), timeout);
    case probe_kind::http:
    case probe_kind::https: break;
  }
  return ask_http(std::move(target), timeout);
}

std::string describe(const std::exception_ptr& problem, bool is_time_out) {
  if (is_time_out) return "no answer in time";
  try {
    std::rethrow_exception(problem);
  } catch (const boost::system::system_error& e) {
    return e.code().message();
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

awaitable<observation> probe(probe_target target, std::chrono::milliseconds timeout,
                             const clock& time) {
  const auto executor = co_await asio::this_coro::executor;
  auto work = [target = std::move(target), timeout] { return ask(target, timeout); };
  const auto token = asio::cancel_after(timeout, asio::as_tuple(use_awaitable));
  auto [problem, found] = co_await asio::co_spawn(executor, std::move(work), token);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
  observation out;
  out.observed_at = time.now();
  if (!problem) {
    out.is_online = true;
    out.info = std::move(found.info);
    out.latency_ms = found.latency_ms;
    co_return out;
  }
  bool is_time_out = false;
  try {
    std::rethrow_exception(problem);
  } catch (const boost::system::system_error& e) {
    is_time_out = e.code() == asio::error::operation_aborted;
  } catch (const std::exception&) {
  }
  out.problem = describe(problem, is_time_out);
  co_return out;
}

}  // namespace skirmish::status
