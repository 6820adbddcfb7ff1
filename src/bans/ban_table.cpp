#include "bans/ban_table.hpp"

#include <boost/container_hash/hash.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <functional>
#include <map>
#include <utility>

namespace skirmish::bans {

struct ban_table::index {
  using networks = boost::unordered_flat_map<network::bytes, const ban*>;
  std::vector<ban> all;
  std::map<std::string, const ban*, std::less<>> by_name;   // players and keys
  std::map<unsigned, networks, std::greater<>> by_network;  // by bits, the narrowest first
};

ban_table::ban_table(const clock& time) : clock_(time), index_(std::make_shared<index>()) {}

ban_table::~ban_table() = default;

void ban_table::set(std::vector<ban> all) {
  auto next = std::make_shared<index>();
  next->all = std::move(all);
  for (const auto& b : next->all) {
    if (b.of.is == kind::player || b.of.is == kind::key) {
      next->by_name[name_of(b.of)] = &b;
      continue;
    }
    const auto covered = network_of(b.of);
    // An address and a network of the same bits: the one that ends later.
    auto& here = next->by_network[covered.bits][covered.start];
    if (!here || here->until < b.until) here = &b;
  }
  has_names_ = !next->by_name.empty();
  has_addresses_ = !next->by_network.empty();
  {
    const std::lock_guard lock(mutex_);
    index_ = std::move(next);
  }
  ++version_;
}

std::shared_ptr<const ban_table::index> ban_table::current() const {
  const std::lock_guard lock(mutex_);
  return index_;
}

std::optional<http::ban> ban_table::told(const ban& b) const {
  const auto now = clock_.now();
  if (b.until <= now) return std::nullopt;
  return http::ban{"banned until " + to_rfc3339(b.until) + ": " + b.reason, b.until - now};
}

std::optional<http::ban> ban_table::of_address(const boost::asio::ip::address& a) const {
  if (!has_addresses()) return std::nullopt;
  const auto now = current();
  const auto bytes = bytes_of(a);
  for (const auto& [bits, networks] : now->by_network) {
    // An IPv4 address is written as ::ffff:a.b.c.d here, which lies in ::/64, too.
    if ((bits >= ipv4_prefix_bits) != is_ipv4(a)) continue;
    const auto found = networks.find(masked(bytes, bits));
    if (found == networks.end()) continue;
    if (auto b = told(*found->second)) return b;
  }
  return std::nullopt;
}

std::optional<http::ban> ban_table::of(const http::principal& who) const {
  if (!has_names_.load(std::memory_order_relaxed) || who.as == http::role::anonymous)
    return std::nullopt;
  const subject s{who.as == http::role::player ? kind::player : kind::key, who.id};
  const auto now = current();
  const auto found = now->by_name.find(name_of(s));
  return found == now->by_name.end() ? std::nullopt : told(*found->second);
}

std::optional<http::ban> ban_table::of_player(std::string_view player_id) const {
  return of(http::principal{http::role::player, std::string(player_id)});
}

}  // namespace skirmish::bans
