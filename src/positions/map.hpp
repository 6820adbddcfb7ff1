// Who is in a part of the map, for those who look at all players at once.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "positions/cell.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::positions {

inline constexpr std::int64_t map_limit_max = 10'000;

struct map_point {
  std::string player_id;
  place at;
  double age_s = 0;  // since the move
};

struct map_view {
  std::vector<map_point> points;  // neighbours mostly follow each other
  // Live positions in the box; an estimate when the view is partial and very many are there.
  std::int64_t total = 0;
  bool is_partial = false;  // there are more: the points are an even sample of them
};

// How many players are where, in squares of a grid: without who they are.
struct density {
  struct cell {
    place middle;
    std::int64_t players = 0;  // an estimate when very many are there
  };
  double cell_deg = 0;      // side of a square, degrees
  std::vector<cell> cells;  // from the south-west on; at most density_cells_max
  std::int64_t total = 0;
};
inline constexpr std::size_t density_cells_max = 4'000;

// Each place stands for `weight` players. The squares are doubled until they are few enough.
density density_of(const std::vector<place>& places, double cell_deg, double weight = 1);

class map_reader {
 public:
  map_reader(redis::client& redis, const redis::key_space& keys, const clock& time)
      : redis_(redis), keys_(keys), clock_(time) {}

  // Reads at most 20,000 entries of the index and `limit` positions, whatever is there. Expired
  // positions are left out. `limit` is at most map_limit_max.
  awaitable<map_view> look_at(box part, std::int64_t limit);

  // Of the whole map, from at most 20,000 entries of the index. A position counts until it is
  // pruned, up to two minutes after it expired.
  awaitable<density> count(double cell_deg);

 private:
  struct sample;
  awaitable<sample> take_sample(box part, std::int64_t most);

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
};

// "west,south,east,north" in degrees; nullopt when it is none.
std::optional<box> parse_box(std::string_view text);
// nullopt unless the numbers are in their ranges and south is not above north.
std::optional<box> checked_box(double west, double south, double east, double north);

}  // namespace skirmish::positions
