#include "status/probe.hpp"

#include "status/a2s.hpp"
#include "status/bedrock_ping.hpp"
#include "status/http_exchange.hpp"
#include "status/minecraft_ping.hpp"
#include "status/net.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancel_after.hpp>
#include <boost/asio/cancel_at.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <memory>

namespace skirmish::status {
namespace {

using asio::ip::tcp;
using asio::ip::udp;
using steady = std::chrono::steady_clock;
using net::connect;
using net::milliseconds_since;
using net::resolve;
using net::value_or_throw;

// A lost UDP request is sent again after this part of the time-out.
constexpr int udp_attempts = 3;
constexpr int http_status_bad = 400;

struct answer {
  server_info info;
  double latency_ms = 0;
};

awaitable<answer> ask_tcp(probe_target target) {
  tcp::socket socket(co_await asio::this_coro::executor);
  answer out;
  out.latency_ms = co_await connect(socket, target);
  co_return out;
}

awaitable<answer> ask_minecraft(probe_target target) {
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

awaitable<answer> ask_http(probe_target target) {
  const auto request = "GET " + target.path + " HTTP/1.1\r\nHost: " + authority(target) +
                       "\r\nUser-Agent: skirmish\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  const auto said = co_await exchange_http(target, request);
  if (said.status >= http_status_bad)
    throw failure(errc::unavailable, "http: status " + std::to_string(said.status));
  answer out;
  out.latency_ms = said.latency_ms;
  co_return out;
}

// Asks over UDP until the answer is there. `query` is an a2s_query or does as it does. A connected
// socket receives from the asked server only; whatever else arrives is skipped, which `skipped`
// tells of.
template <class Query>
awaitable<answer> ask_udp(probe_target target, std::chrono::milliseconds timeout,
                          std::shared_ptr<std::string> skipped) {
  const auto places = co_await resolve<udp>(target);
  udp::socket socket(co_await asio::this_coro::executor);
  co_await asio::async_connect(socket, places, use_awaitable);
  const auto patience = timeout / udp_attempts;
  Query query;
  answer out;
  std::string datagram;
  while (true) {
    const auto request = query.request();
    const auto start = steady::now();
    co_await socket.async_send(asio::buffer(request), use_awaitable);
    auto next = query_step::wait;
    while (next == query_step::wait) {
      datagram.resize(65'536);
      // Not anew with each datagram: noise must not keep the request from being sent again.
      const auto token = asio::cancel_at(start + patience, asio::as_tuple(use_awaitable));
      const auto [ec, size] = co_await socket.async_receive(asio::buffer(datagram), token);
      const auto state = co_await asio::this_coro::cancellation_state;
      if (ec == asio::error::operation_aborted &&
          state.cancelled() == asio::cancellation_type::none) {
        query.start_again();  // the request or its answer was lost
        break;
      }
      if (ec) throw boost::system::system_error(ec);
      next = query.receive(std::string_view(datagram).substr(0, size));
      *skipped = query.complaint();
    }
    if (next != query_step::done) continue;
    out.latency_ms = milliseconds_since(start);
    out.info = query.info();
    co_return out;
  }
}

awaitable<answer> ask(probe_target target, std::chrono::milliseconds timeout,
                      std::shared_ptr<std::string> skipped) {
  switch (target.kind) {
    case probe_kind::a2s: return ask_udp<a2s_query>(std::move(target), timeout, std::move(skipped));
    case probe_kind::bedrock:
      return ask_udp<bedrock_query>(std::move(target), timeout, std::move(skipped));
    case probe_kind::minecraft: return ask_minecraft(std::move(target));
    case probe_kind::tcp: return ask_tcp(std::move(target));
    case probe_kind::http:
    case probe_kind::https: break;
  }
  return ask_http(std::move(target));
}

std::string describe(const std::exception_ptr& problem, bool is_time_out,
                     const std::string& skipped) {
  if (is_time_out)
    return skipped.empty() ? "no answer in time" : "no answer in time (" + skipped + ")";
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
  const auto skipped = std::make_shared<std::string>();
  auto work = [target = std::move(target), timeout, skipped] {
    return ask(target, timeout, skipped);
  };
  const auto token = asio::cancel_after(timeout, asio::as_tuple(use_awaitable));
  auto [problem, found] = co_await asio::co_spawn(executor, std::move(work), token);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
  observation out;
  out.checked_at = time.now();
  if (!problem) {
    out.is_online = true;
    out.observed_at = out.checked_at;
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
  out.problem = describe(problem, is_time_out, *skipped);
  co_return out;
}

}  // namespace skirmish::status
