// The address of a client: whose it is behind proxies, and how limits count it.
#pragma once

#include "core/error.hpp"
#include "http/message.hpp"

#include <boost/asio/ip/address.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::http {

// An IPv6 address stands for its network of 64 bits, which one subscriber usually has to itself
// (RFC 6177); one that is mapped from IPv4 for the IPv4 address. What is no address is returned as
// it is.
std::string counted_address(std::string_view address);

// Networks whose hosts tell the truth about whom they speak for.
class trusted_proxies {
 public:
  trusted_proxies() = default;  // nobody
  // "10.0.0.0/8, fd00::/8, 192.0.2.7"; invalid_argument names what is neither address nor network.
  static result<trusted_proxies> parse(std::string_view list);

  [[nodiscard]] bool contain(const boost::asio::ip::address& address) const;

 private:
  using bytes = std::array<std::uint8_t, 16>;  // of IPv6, or mapped from IPv4
  struct network {
    bytes start;
    unsigned bits;
  };
  static bytes bytes_of(const boost::asio::ip::address& address);
  std::vector<network> networks_;
};

// Who sent a request that came from `peer`: the peer, unless it is a trusted proxy; then the last
// address of X-Forwarded-For that is none. What stands before it anybody could have written.
boost::asio::ip::address client_of(const boost::asio::ip::address& peer, const fields& headers,
                                   const trusted_proxies& proxies);

}  // namespace skirmish::http
