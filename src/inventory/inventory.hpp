// What players own. Never negative: events that would take more than there is leave 0, requests are
// refused.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace skirmish::inventory {

class service {
 public:
  // Different items a player may own by requests; events of a match are not refused.
  static constexpr std::int64_t items_limit = 1'000;

  service(redis::client& redis, const redis::key_space& keys) : redis_(redis), keys_(keys) {}

  // not_found when there is no such player.
  awaitable<result<std::map<std::string, std::int64_t>>> read(std::string player_id);
  // Adds `quantity` (may be negative) and returns what there is now. conflict when there is too
  // little, or too many different items; not_found when there is no such player.
  awaitable<result<std::int64_t>> change(std::string player_id, std::string item,
                                         std::int64_t quantity);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
};

}  // namespace skirmish::inventory
