// A temporary ban: of a player, an API key, an address or a network.
#pragma once

#include "core/clock.hpp"
#include "core/error.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/json/object.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::bans {

namespace json = boost::json;

enum class kind { player, key, address, network };
std::string_view to_string(kind k) noexcept;
const std::vector<std::string>& kind_words();

inline constexpr std::size_t bans_max = 10'000;
inline constexpr std::size_t reason_max_chars = 200;
inline constexpr std::chrono::seconds life_max{366LL * 24 * 3600};

struct subject {
  kind is = kind::player;
  // An id. An IPv6 address stands for its network of 64 bits; a network is written with a '-'
  // before its bits (203.0.113.0-24), so that it can stand in a path.
  std::string value;
};

// invalid_argument says what is wrong. A network may be written with '/', too.
result<subject> parse_subject(std::string_view kind_word, std::string_view value);

// `<kind>@<value>`: its name in Redis.
std::string name_of(const subject& s);

struct ban {
  subject of;
  std::string reason;  // its subject reads it, too
  std::string author;  // the id of an admin's key, or who used the command line
  timestamp created_at;
  timestamp until;
};

json::object to_json(const ban& b);
// Of what Redis has; nullopt for what to_json() did not make.
std::optional<ban> from_json(std::string_view text);

// True of an IPv4 address, and of an IPv6 address that stands for one (RFC 4291, section 2.5.5.2).
bool is_ipv4(const boost::asio::ip::address& a);

// Of the addresses that stand for IPv4 ones (::ffff:0:0/96).
inline constexpr unsigned ipv4_prefix_bits = 96;

// A network as bits in front: IPv4 as mapped into IPv6.
struct network {
  using bytes = std::array<std::uint8_t, 16>;
  bytes start{};
  unsigned bits = 128;
};
network::bytes bytes_of(const boost::asio::ip::address& a);
// The first `bits` of it; the others are 0.
network::bytes masked(network::bytes a, unsigned bits);
// What an address or network of parse_subject() covers.
network network_of(const subject& s);

}  // namespace skirmish::bans
