#include "game_servers/server_settings.hpp"

#include "core/parse.hpp"
#include "ingest/ingest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace skirmish::game_servers {
namespace {

using boost::asio::ip::udp;

error bad(std::string message) { return {errc::invalid_argument, std::move(message)}; }

std::vector<std::string_view> words_of(std::string_view list) {
  constexpr std::string_view separators = " ,\t";
  std::vector<std::string_view> out;
  while (true) {
    const auto begin = list.find_first_not_of(separators);
    if (begin == std::string_view::npos) return out;
    list.remove_prefix(begin);
    const auto end = std::min(list.find_first_of(separators), list.size());
    out.push_back(list.substr(0, end));
    list.remove_prefix(end);
  }
}

// `203.0.113.7:27015` and `[2001:db8::7]:27015`; nothing for what has no port.
std::optional<udp::endpoint> endpoint_of(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return std::nullopt;  // an IPv6 address without a port
  const auto port = parse_natural(text.substr(colon + 1));
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(std::string(host), ec);
  if (ec || !port || *port < 1 || *port > 65'535) return std::nullopt;
  return udp::endpoint(address, static_cast<std::uint16_t>(*port));
}

result<void> add_sources(udp_server& to, std::string_view list) {
  std::string networks;
  for (const auto word : words_of(list)) {
    to.is_anywhere = false;
    if (auto exact = endpoint_of(word))
      to.endpoints.push_back(*exact);
    else
      networks.append(networks.empty() ? "" : ",").append(word);
  }
  auto parsed = http::trusted_proxies::parse(networks);
  if (!parsed) return parsed.error();
  to.networks = std::move(*parsed);
  return {};
}

result<void> check_secret(std::string_view secret) {
  const bool is_fit = secret.size() <= secret_max_bytes && secret[0] >= '1' && secret[0] <= '9' &&
                      std::all_of(secret.begin(), secret.end(), [](char c) {
                        return c > ' ' && c <= '~' && c != '"' && c != ';';
                      });
  if (is_fit) return {};
  return bad(
      "has a secret that no game server sends: it must be at most 64 visible characters without "
      "quotes and semicolons, and begin with a digit from 1 to 9");
}

// The server's name and the field of a setting's key.
std::pair<std::string_view, std::string_view> split(std::string_view key) {
  const auto dot = key.rfind('.');
  if (dot == std::string_view::npos) return {key, {}};
  return {key.substr(0, dot), key.substr(dot + 1)};
}

// An IPv4 address that came on a socket for both families is one.
boost::asio::ip::address plain(const boost::asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
  return address;
}

}  // namespace

bool udp_server::accepts(const udp::endpoint& from) const {
  if (is_anywhere) return true;
  const auto address = plain(from.address());
  return networks.contain(address) ||
         std::any_of(endpoints.begin(), endpoints.end(), [&](const udp::endpoint& known) {
           return plain(known.address()) == address && known.port() == from.port();
         });
}

result<void> check_setting(std::string_view key, std::string_view value) {
  const auto [name, field] = split(key);
  if (!ingest::is_server_name(name))
    return bad(
        fmt::format("has a wrong name of a server: `{}` (1 to 32 of A-Z a-z 0-9 _ . -)", name));
  if (field == "secret") return check_secret(value);
  if (field == "sources") {
    udp_server probe;
    auto fine = add_sources(probe, value);
    if (!fine) return bad(fmt::format("has wrong sources of {}: {}", name, fine.error().message));
    return {};
  }
  return bad(fmt::format("knows no `{}` of a server; there are secret and sources", field));
}

result<std::vector<udp_server>> configured_servers(const setting_list& settings) {
  std::vector<udp_server> out;
  for (const auto& [key, value] : settings) {
    if (auto fine = check_setting(key, value); !fine) return fine.error();
    const auto [name, field] = split(key);
    auto at = std::find_if(out.begin(), out.end(),
                           [known = name](const udp_server& s) { return s.name == known; });
    if (at == out.end()) {
      if (out.size() == servers_max)
        return bad(fmt::format("has more than {} servers", servers_max));
      out.emplace_back().name = name;
      at = out.end() - 1;
    }
    if (field == "secret") at->secret = value;
    if (field != "sources") continue;
    if (auto fine = add_sources(*at, value); !fine) return fine.error();
  }
  for (const auto& s : out)
    if (s.secret.empty() && s.is_anywhere)
      return bad(fmt::format("has neither a secret nor sources of {}: anybody could speak for it",
                             s.name));
  return out;
}

}  // namespace skirmish::game_servers
