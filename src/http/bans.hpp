// Who is shut out for a time: what sessions, the router and the WebSocket gateway ask of each
// caller, and the answer to one who is. bans/ is the implementation.
#pragma once

#include "http/exchange.hpp"

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::http {

// As its subject is told of it.
struct ban {
  std::string detail;                 // until when, and why
  std::chrono::milliseconds left{0};  // until it ends
};

// Thread-safe, and answers from memory.
class ban_list {
 public:
  virtual ~ban_list() = default;
  // Changes with the list: who has asked at this version need not ask again.
  [[nodiscard]] virtual std::uint64_t version() const noexcept = 0;
  // False when no address is banned: then there is nothing to ask.
  [[nodiscard]] virtual bool has_addresses() const noexcept = 0;
  [[nodiscard]] virtual std::optional<ban> of_address(const boost::asio::ip::address& a) const = 0;
  // Of a player or an API key.
  [[nodiscard]] virtual std::optional<ban> of(const principal& who) const = 0;
};

// 403 with code `banned`, and Retry-After.
response answer_to_banned(const ban& why, std::string_view request_id);

}  // namespace skirmish::http
