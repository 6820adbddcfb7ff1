// Leaderboards: reading ranked scores.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::leaderboards {

struct entry {
  std::int64_t rank = 0;  // 1 is the best
  std::string player_id;
  double score = 0;
};

class service {
 public:
  service(redis::client& redis, const redis::key_space& keys) : redis_(redis), keys_(keys) {}

  // Entries from rank `first` (1 is the best) on, at most `limit`. An unknown board is an empty
  // one.
  awaitable<std::vector<entry>> page(std::string board, std::int64_t first, std::int64_t limit);

  // The player and up to `around` entries on each side. not_found when it has no score there.
  awaitable<result<std::vector<entry>>> around(std::string board, std::string player_id,
                                               std::int64_t around);

  // Rank and score of each of `ids` that has one, in the order asked.
  awaitable<std::vector<entry>> ranks(std::string board, std::vector<std::string> ids);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
};

}  // namespace skirmish::leaderboards
