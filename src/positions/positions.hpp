// Who is near: live positions within a radius, nearest first.
//
// The sorted set `positions` finds candidates by their cell; `move:<player_id>`, whose TTL its
// sender chose, has the last word. So a position that has expired is never returned, whatever the
// index still holds. docs/positions.md has the story and the figures.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"
#include "positions/cell.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "redis/lease.hpp"

#include <optional>
#include <string>
#include <vector>

namespace skirmish::positions {

inline constexpr std::int64_t near_limit_max = 1'000;

struct neighbour {
  std::string player_id;
  double distance_m = 0;
  place at;
  double alt = 0;
  std::string ts;
};

struct near_query {
  place middle;
  double radius_m = 1'000;
  std::int64_t limit = 50;  // at most near_limit_max
  std::string except;       // a player who is not meant
};

class service {
 public:
  // Candidates looked at, in pages. Where more stand within the radius, a smaller circle that holds
  // enough is searched. Only when so many stand in a ring of a metre, with fewer than are asked for
  // inside of it, are some of them returned that may not be the nearest.
  static constexpr std::int64_t candidates_max = 20'000;

  service(redis::client& redis, const redis::key_space& keys) : redis_(redis), keys_(keys) {}

  // Nearest first; equal distances by id.
  awaitable<std::vector<neighbour>> near(near_query q);

  // The live position; nothing when it has expired or never was.
  awaitable<std::optional<place>> position(std::string player_id);

  // Looks at the next `count` players of the index and removes those without a live position.
  awaitable<void> prune(std::int64_t count);
  // Does that every second while it leads by a lease, so that all have been looked at in a minute;
  // until cancelled. For one thread of each server.
  awaitable<void> run_pruner();

 private:
  struct candidate {
    std::string player_id;
    double distance_m = 0;  // of its cell: give or take half a metre
  };
  awaitable<std::optional<std::vector<candidate>>> candidates(const near_query& q, double radius_m,
                                                              bool some);
  awaitable<std::vector<neighbour>> alive(const near_query& q,
                                          const std::vector<candidate>& nearest);

  redis::client& redis_;
  const redis::key_space& keys_;
  std::string pruned_to_ = "0";  // cursor of ZSCAN
};

}  // namespace skirmish::positions
