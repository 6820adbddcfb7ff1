// How many different channels of one kind are watched, by whom. A channel costs once, however many
// watch it; a peer that watches as many as it may leaves the rest of the table to others.
#pragma once

#include "core/error.hpp"
#include "http/exchange.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace skirmish::realtime {

// Who counts as one: an API key, a player, or the address of somebody anonymous (of IPv6 the first
// 64 bits, which one subscriber usually has to itself).
std::string peer_of(const http::principal& who, std::string_view remote_address);

struct quota_limits {
  std::size_t channels = 16'384;
  std::size_t of_one_peer = 4'096;
};

// Pure. Belongs to one thread.
class subscription_quota {
 public:
  explicit subscription_quota(quota_limits limits = {}) : limits_(limits) {}

  // Counts one subscription; rate_limited when the peer has too many, unavailable when all have.
  result<void> enter(const std::string& peer, const std::string& channel);
  // Takes one back that enter() counted.
  void leave(const std::string& peer, const std::string& channel);

 private:
  quota_limits limits_;
  std::map<std::string, std::size_t, std::less<>> channels_;  // → subscriptions
  std::map<std::string, std::map<std::string, std::size_t>, std::less<>> peers_;
};

}  // namespace skirmish::realtime
