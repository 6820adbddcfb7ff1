#include "status/webhook.hpp"

#include "status/document.hpp"
#include "status/http_exchange.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <sodium.h>

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;

}  // namespace

result<probe_target> parse_webhook_url(std::string_view url) {
  auto target = parse_probe_url(url);
  const bool is_http =
      target && (target->kind == probe_kind::http || target->kind == probe_kind::https);
  if (!is_http)
    return error{errc::invalid_argument, "status.webhook_url must be http(s)://host[:port][/path]"};
  return target;
}

boost::json::object webhook_event(std::string_view name, const observation& game) {
  boost::json::object out{{"event", game.is_online ? "server_up" : "server_down"},
                          {"server", nullptr}};
  if (!name.empty()) out["server"] = name;
  const auto members = "{" + game_members(game).substr(1) + "}";
  const auto parsed = boost::json::parse(members);
  for (const auto& [key, value] : parsed.get_object()) out[key] = value;
  return out;
}

std::string webhook_signature(std::string_view secret, timestamp at, std::string_view body) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  const auto text = fmt::format("{}.{}", seconds, body);
  const auto bytes = [](std::string_view s) {
    return reinterpret_cast<const unsigned char*>(s.data());
  };
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, bytes(secret), secret.size());
  crypto_auth_hmacsha256_update(&state, bytes(text), text.size());
  crypto_auth_hmacsha256_final(&state, mac);
  auto out = fmt::format("t={},v1=", seconds);
  for (const auto byte : mac) out += fmt::format("{:02x}", byte);
  return out;
}

awaitable<void> call_webhook(webhook_settings to, std::string delivery, std::string body,
                             timestamp now) {
  auto target = parse_webhook_url(to.url);
  if (!target) throw failure(errc::unavailable, target.error().message);
  auto request = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: skirmish\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\nConnection: close\r\nSkirmish-Delivery: {}\r\n",
      target->path, authority(*target), body.size(), delivery);
  if (!to.secret.empty())
    request += "Skirmish-Signature: " + webhook_signature(to.secret, now, body) + "\r\n";
  request += "\r\n" + body;
  auto work = [where = std::move(*target), request = std::move(request)] {
    return exchange_http(where, request);
  };
  const auto executor = co_await asio::this_coro::executor;
  const auto token = asio::cancel_after(patience, asio::as_tuple(use_awaitable));
  auto [problem, said] = co_await asio::co_spawn(executor, std::move(work), token);
  if (problem) {
    std::string why;
    try {
      std::rethrow_exception(problem);
    } catch (const std::exception& e) {
      why = e.what();
    }
    throw failure(errc::unavailable, "the webhook cannot be called: " + why);
  }
  if (said.status < 200 || said.status > 299)
    throw failure(errc::unavailable,
                  fmt::format("the webhook answered with status {}", said.status));
}

}  // namespace skirmish::status
