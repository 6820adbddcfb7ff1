#include "http/proxy_protocol.hpp"

#include "core/parse.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace skirmish::http {
namespace {

namespace ip = boost::asio::ip;
using state = proxy_header::state;

constexpr std::string_view v2_signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t v2_fixed_bytes = 16;
constexpr std::string_view v1_signature = "PROXY ";
constexpr std::size_t v1_max_bytes = 107;  // with its end of line
// No header is shorter: "PROXY UNKNOWN" and the end of the line have 15 bytes.
constexpr std::size_t first_bytes = 12;

proxy_header bad() { return {state::bad}; }
proxy_header need(std::size_t bytes) { return {state::need_more, bytes}; }

unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

template <class Address>
ip::address address_at(std::string_view text, std::size_t start) {
  typename Address::bytes_type bytes{};
  std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(start), bytes.size(), bytes.begin());
  return Address(bytes);
}

// Section 2.2. TLVs behind the addresses are skipped.
proxy_header parse_v2(std::string_view received) {
  if (received.size() < v2_fixed_bytes) return need(v2_fixed_bytes - received.size());
  const auto version = byte_at(received, 12) >> 4;
  const auto command = byte_at(received, 12) & 0x0F;
  const auto family = byte_at(received, 13);
  const std::size_t rest = byte_at(received, 14) << 8 | byte_at(received, 15);
  if (version != 2 || command > 1 || v2_fixed_bytes + rest > proxy_header_max_bytes) return bad();
  const auto whole = v2_fixed_bytes + rest;
  if (received.size() < whole) return need(whole - received.size());
  if (received.size() > whole) return bad();
  proxy_header out{state::whole};
  if (command == 0) return out;  // LOCAL: whatever its addresses say
  constexpr unsigned tcp_v4 = 0x11;
  constexpr unsigned tcp_v6 = 0x21;
  if (family == tcp_v4) {
    if (rest < 12) return bad();
    out.source = address_at<ip::address_v4>(received, v2_fixed_bytes);
  } else if (family == tcp_v6) {
    if (rest < 36) return bad();
    out.source = address_at<ip::address_v6>(received, v2_fixed_bytes);
  }
  return out;
}

// The fields of "TCP4 192.0.2.1 192.0.2.2 4000 443".
proxy_header parse_v1_fields(std::string_view line) {
  std::array<std::string_view, 5> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto end = i + 1 < fields.size() ? line.find(' ') : line.size();
    if (end == std::string_view::npos) return bad();
    fields[i] = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  const bool is_v4 = fields[0] == "TCP4";
  if (!is_v4 && fields[0] != "TCP6") return bad();
  boost::system::error_code wrong_source;
  boost::system::error_code wrong_target;
  const auto source = ip::make_address(std::string(fields[1]), wrong_source);
  const auto target = ip::make_address(std::string(fields[2]), wrong_target);
  if (wrong_source || wrong_target || source.is_v4() != is_v4 || target.is_v4() != is_v4)
    return bad();
  for (const auto port : {fields[3], fields[4]}) {
    const auto number = parse_natural(port);
    if (!number || *number > 65'535) return bad();
  }
  return {state::whole, 0, source};
}

// Section 2.1.
proxy_header parse_v1(std::string_view received) {
  const auto end = received.find('\n');
  if (end == std::string_view::npos) {
    if (received.size() >= v1_max_bytes) return bad();
    return need(received.back() == '\r' ? 1 : 2);
  }
  if (end + 1 != received.size() || received[end - 1] != '\r') return bad();
  const auto line = received.substr(v1_signature.size(), end - 1 - v1_signature.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return {state::whole};
  return parse_v1_fields(line);
}

}  // namespace

proxy_header parse_proxy_header(std::string_view received) {
  if (received.size() < first_bytes) return need(first_bytes - received.size());
  if (received.starts_with(v2_signature)) return parse_v2(received);
  if (received.starts_with(v1_signature)) return parse_v1(received);
  return bad();
}

}  // namespace skirmish::http
