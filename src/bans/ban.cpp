#include "bans/ban.hpp"

#include "core/ids.hpp"
#include "core/parse.hpp"
#include "http/client_address.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::bans {
namespace {

namespace ip = boost::asio::ip;

// Wider ones are mistakes as a rule.
constexpr std::int64_t v4_bits_min = 8;
constexpr std::int64_t v6_bits_min = 16;
constexpr std::int64_t v6_bits_max = 64;  // as addresses are counted

error bad(std::string message) { return {errc::invalid_argument, std::move(message)}; }

result<subject> parse_address(std::string_view value) {
  boost::system::error_code ec;
  const auto address = ip::make_address(std::string(value), ec);
  if (ec || (address.is_v6() && address.to_v6().scope_id() != 0))
    return bad("an address looks like 203.0.113.7 or 2001:db8::7");
  return subject{kind::address, http::counted_address(value)};
}

result<subject> parse_network(std::string_view value) {
  const auto wrong = bad(
      "a network looks like 203.0.113.0-24 or 2001:db8::-32: IPv4 with 8 to 32 bits, IPv6 with 16 "
      "to 64");
  const auto dash = value.find_last_of("-/");
  if (dash == std::string_view::npos) return wrong;
  boost::system::error_code ec;
  const auto address = ip::make_address(std::string(value.substr(0, dash)), ec);
  const auto bits = parse_natural(value.substr(dash + 1));
  if (ec || !bits || (address.is_v6() && address.to_v6().scope_id() != 0)) return wrong;
  const bool is_v4 = address.is_v4();
  if (*bits < (is_v4 ? v4_bits_min : v6_bits_min) || *bits > (is_v4 ? 32 : v6_bits_max))
    return wrong;
  const auto start = masked(bytes_of(address), static_cast<unsigned>(is_v4 ? *bits + 96 : *bits));
  const ip::address_v6 v6(start);
  const auto text = is_v4 ? ip::make_address_v4(ip::v4_mapped, v6).to_string() : v6.to_string();
  return subject{kind::network, fmt::format("{}-{}", text, *bits)};
}

}  // namespace

std::string_view to_string(kind k) noexcept {
  switch (k) {
    case kind::player: return "player";
    case kind::key: return "key";
    case kind::address: return "address";
    case kind::network: return "network";
  }
  return "";
}

const std::vector<std::string>& kind_words() {
  static const std::vector<std::string> words{"player", "key", "address", "network"};
  return words;
}

result<subject> parse_subject(std::string_view kind_word, std::string_view value) {
  if (kind_word == "address") return parse_address(value);
  if (kind_word == "network") return parse_network(value);
  if (kind_word != "player" && kind_word != "key")
    return bad("a ban is of a player, a key, an address or a network");
  if (!is_valid_id(value)) return bad("this is not the id of a " + std::string(kind_word));
  return subject{kind_word == "key" ? kind::key : kind::player, std::string(value)};
}

std::string name_of(const subject& s) { return fmt::format("{}@{}", to_string(s.is), s.value); }

json::object to_json(const ban& b) {
  return {{"kind", to_string(b.of.is)},
          {"value", b.of.value},
          {"reason", b.reason},
          {"author", b.author},
          {"created_at", to_rfc3339(b.created_at)},
          {"until", to_rfc3339(b.until)}};
}

std::optional<ban> from_json(std::string_view text) {
  boost::system::error_code ec;
  const auto read = json::parse(text, ec);
  if (ec || !read.is_object()) return std::nullopt;
  const auto member = [&](std::string_view name) -> std::string_view {
    const auto* v = read.get_object().if_contains(name);
    return v && v->is_string() ? std::string_view(v->get_string()) : std::string_view();
  };
  auto of = parse_subject(member("kind"), member("value"));
  const auto created_at = parse_rfc3339(member("created_at"));
  const auto until = parse_rfc3339(member("until"));
  if (!of || !created_at || !until) return std::nullopt;
  return ban{std::move(*of), std::string(member("reason")), std::string(member("author")),
             *created_at, *until};
}

bool is_ipv4(const ip::address& a) { return a.is_v4() || a.to_v6().is_v4_mapped(); }

network::bytes bytes_of(const ip::address& a) {
  return (a.is_v4() ? ip::make_address_v6(ip::v4_mapped, a.to_v4()) : a.to_v6()).to_bytes();
}

network::bytes masked(network::bytes a, unsigned bits) {
  for (unsigned i = 0; i < a.size(); ++i) {
    const auto kept = std::min(8U, bits > 8 * i ? bits - 8 * i : 0U);
    a[i] = static_cast<std::uint8_t>(a[i] & (0xFF00U >> kept));
  }
  return a;
}

network network_of(const subject& s) {
  const std::string_view value = s.value;
  const auto dash = std::min(value.find('-'), value.size());
  const auto address = ip::make_address(std::string(value.substr(0, dash)));
  unsigned bits = is_ipv4(address) ? ipv4_prefix_bits + 32 : 64;
  if (s.is == kind::network) {
    const auto given = static_cast<unsigned>(parse_natural(value.substr(dash + 1)).value_or(0));
    bits = address.is_v4() ? given + ipv4_prefix_bits : given;
  }
  return {masked(bytes_of(address), bits), bits};
}

}  // namespace skirmish::bans
