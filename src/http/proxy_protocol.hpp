// The PROXY protocol (HAProxy, proxy-protocol.txt, versions 1 and 2): what a proxy sends in front
// of a connection to say whose it is. Without a socket: bytes in, a header out.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace skirmish::http {

// Longer headers are refused; those of proxies with many TLVs have a few hundred bytes.
inline constexpr std::size_t proxy_header_max_bytes = 4096;

struct proxy_header {
  enum class state { need_more, whole, bad };
  state is = state::need_more;
  // need_more: so many bytes can be read without reading behind the header.
  std::size_t wanted_bytes = 0;
  // whole: the client; nullopt when the proxy speaks for itself (LOCAL) or of something that is not
  // TCP over IP. Then the connection's own address holds.
  std::optional<boost::asio::ip::address> source = {};
};

// `received` is what was sent first, read as `wanted_bytes` said: a header or the beginning of one.
proxy_header parse_proxy_header(std::string_view received);

}  // namespace skirmish::http
