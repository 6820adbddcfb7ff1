#include "http/client_address.hpp"

#include "core/comma_list.hpp"
#include "core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish::http {
namespace {

namespace ip = boost::asio::ip;

}  // namespace

std::string counted_address(std::string_view address) {
  boost::system::error_code ec;
  const auto parsed = ip::make_address(std::string(address), ec);
  if (ec || !parsed.is_v6()) return std::string(address);
  const auto v6 = parsed.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6).to_string();
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return ip::address_v6(bytes).to_string();
}

trusted_proxies::bytes trusted_proxies::bytes_of(const ip::address& address) {
  return (address.is_v4() ? ip::make_address_v6(ip::v4_mapped, address.to_v4()) : address.to_v6())
      .to_bytes();
}

result<trusted_proxies> trusted_proxies::parse(std::string_view list) {
  trusted_proxies out;
  for (const auto item : items_of(list)) {
    const auto slash = item.find('/');
    boost::system::error_code ec;
    const auto address = ip::make_address(std::string(item.substr(0, slash)), ec);
    const std::int64_t most = !ec && address.is_v4() ? 32 : 128;
    const auto bits =
        slash == std::string_view::npos ? most : parse_natural(item.substr(slash + 1));
    if (ec || !bits || *bits > most)
      return error{errc::invalid_argument,
                   fmt::format("`{}` is neither an address nor a network like 10.0.0.0/8", item)};
    out.networks_.push_back({bytes_of(address), static_cast<unsigned>(*bits + 128 - most)});
  }
  return out;
}

bool trusted_proxies::contain(const ip::address& address) const {
  const auto asked = bytes_of(address);
  return std::any_of(networks_.begin(), networks_.end(), [&](const network& n) {
    const auto whole = n.bits / 8;
    if (!std::equal(asked.begin(), asked.begin() + whole, n.start.begin())) return false;
    const auto rest = n.bits % 8;
    return rest == 0 || (asked[whole] >> (8 - rest)) == (n.start[whole] >> (8 - rest));
  });
}

ip::address client_of(const ip::address& peer, const fields& headers,
                      const trusted_proxies& proxies) {
  if (!proxies.contain(peer)) return peer;
  std::vector<std::string_view> hops;
  for (const auto& [name, value] : headers)
    if (name == "x-forwarded-for")
      for (const auto item : items_of(value)) hops.push_back(item);
  auto client = peer;
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    boost::system::error_code ec;
    const auto address = ip::make_address(std::string(*hop), ec);
    if (ec) break;
    client = address;
    if (!proxies.contain(address)) break;
  }
  return client;
}

}  // namespace skirmish::http
