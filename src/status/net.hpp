// What everything that connects to a stranger shares.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"
#include "status/probe_url.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <string>

namespace skirmish::status::net {

inline double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
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
inline awaitable<double> connect(asio::ip::tcp::socket& socket, const probe_target& target) {
  const auto places = co_await resolve<asio::ip::tcp>(target);
  const auto start = std::chrono::steady_clock::now();
  co_await asio::async_connect(socket, places, use_awaitable);
  const auto took = milliseconds_since(start);
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  co_return took;
}

}  // namespace skirmish::status::net
