#include "game_servers/udp_packet.hpp"

#include "core/digest.hpp"

#include <algorithm>
#include <optional>

namespace skirmish::game_servers {
namespace {

constexpr std::string_view header = "\xFF\xFF\xFF\xFF";
constexpr std::size_t token_digits = 16;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

// The log line at the beginning of `text`, behind a token that may stand there.
std::optional<std::string_view> line_of(std::string_view text) {
  if (text.starts_with('T')) {
    const auto token = text.substr(1, token_digits);
    if (token.size() < token_digits || !std::all_of(token.begin(), token.end(), is_hex))
      return std::nullopt;
    text.remove_prefix(1 + token_digits);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
  if (!text.starts_with("L ")) return std::nullopt;
  // A datagram holds one line, so what a player makes it hold behind an end of line is none.
  return text.substr(0, text.find_first_of(std::string_view("\n\r\0", 3)));
}

packet_reading read_with_secret(std::string_view text, const boost::asio::ip::udp::endpoint& from,
                                std::span<const udp_server> servers) {
  packet_reading out{packet_fault::unknown_source, 0, {}};
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const auto& s = servers[i];
    if (!s.accepts(from)) continue;
    out.fault = packet_fault::wrong_secret;
    if (s.secret.empty() || !equal_in_constant_time(text.substr(0, s.secret.size()), s.secret))
      continue;
    // Else it is the beginning of another server's.
    if (const auto line = line_of(text.substr(s.secret.size())))
      return {packet_fault::none, i, *line};
  }
  return out;
}

packet_reading read_without_secret(std::string_view text,
                                   const boost::asio::ip::udp::endpoint& from,
                                   std::span<const udp_server> servers) {
  const auto line = line_of(text);
  if (!line) return {packet_fault::malformed, 0, {}};
  packet_reading out{packet_fault::unknown_source, 0, {}};
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (!servers[i].accepts(from)) continue;
    if (servers[i].secret.empty()) return {packet_fault::none, i, *line};
    out.fault = packet_fault::wrong_secret;
  }
  return out;
}

}  // namespace

packet_reading read_packet(std::string_view datagram, const boost::asio::ip::udp::endpoint& from,
                           std::span<const udp_server> servers) {
  if (!datagram.starts_with(header)) return {packet_fault::malformed, 0, {}};
  datagram.remove_prefix(header.size());
  if (datagram.starts_with("log ")) return read_without_secret(datagram.substr(4), from, servers);
  if (datagram.starts_with('R')) return read_without_secret(datagram.substr(1), from, servers);
  if (datagram.starts_with('S')) return read_with_secret(datagram.substr(1), from, servers);
  return {packet_fault::malformed, 0, {}};
}

}  // namespace skirmish::game_servers
