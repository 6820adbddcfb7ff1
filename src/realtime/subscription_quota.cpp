#include "realtime/subscription_quota.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

namespace skirmish::realtime {
namespace {

// Takes one from a count and forgets it when nothing is left.
template <class Map>
void take_one(Map& counts, const std::string& name) {
  const auto found = counts.find(name);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

}  // namespace

std::string peer_of(const http::principal& who, std::string_view remote_address) {
  if (who.as == http::role::player) return "player " + who.id;
  if (who.as != http::role::anonymous) return "key " + who.id;
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(std::string(remote_address), ec);
  if (ec || !address.is_v6() || address.to_v6().is_v4_mapped())
    return fmt::format("address {}", remote_address);
  const auto bytes = address.to_v6().to_bytes();
  return fmt::format("network {:02x}", fmt::join(bytes.begin(), bytes.begin() + 8, ""));
}

result<void> subscription_quota::enter(const std::string& peer, const std::string& channel) {
  const auto of_peer = peers_.find(peer);
  const bool is_new_here = !channels_.contains(channel);
  const bool is_new_to_peer = of_peer == peers_.end() || !of_peer->second.contains(channel);
  if (is_new_to_peer && of_peer != peers_.end() && of_peer->second.size() >= limits_.of_one_peer)
    return error{errc::rate_limited, "you watch too many different channels of this kind"};
  if (is_new_here && channels_.size() >= limits_.channels)
    return error{errc::unavailable, "too many different channels of this kind are watched here"};
  ++channels_[channel];
  ++peers_[peer][channel];
  return {};
}

void subscription_quota::leave(const std::string& peer, const std::string& channel) {
  take_one(channels_, channel);
  const auto of_peer = peers_.find(peer);
  if (of_peer == peers_.end()) return;
  take_one(of_peer->second, channel);
  if (of_peer->second.empty()) peers_.erase(of_peer);
}

}  // namespace skirmish::realtime
