// A made day of a busy world: who interacted how often in which slice of time, drawn from a Zipf
// distribution, and the exact counts that a sliding window over it must show.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::cli {

class activity_day {
 public:
  struct share {
    std::uint32_t player = 0;
    std::uint32_t count = 0;
  };

  // `skew` is the exponent: 0 makes all players alike, 1 is the usual one. With `uuids` the ids are
  // UUIDs, else `player123456`.
  activity_day(std::uint32_t players, double skew, bool uuids, std::uint64_t seed);

  // Draws slices that next() will return, so that it takes no time then.
  void draw_ahead(std::int64_t slices, std::uint64_t interactions);
  // The next slice, which is counted now.
  const std::vector<share>& next(std::uint64_t interactions);
  // Takes the oldest slice out of the counts.
  void retire_oldest();

  // How many of the first places of a board do not show who belongs there with the right count.
  // `shown` are players and counts, best first; among equal counts any order is right.
  [[nodiscard]] std::int64_t wrong_places(
      const std::vector<std::pair<std::string, std::int64_t>>& shown, std::size_t places) const;

  [[nodiscard]] const std::string& id(std::uint32_t player) const { return ids_[player]; }
  [[nodiscard]] const std::vector<std::int64_t>& totals() const noexcept { return totals_; }
  [[nodiscard]] std::uint64_t shares() const noexcept { return shares_; }  // of all slices held

 private:
  std::uint32_t draw();
  std::vector<share> draw_slice(std::uint64_t interactions);

  std::mt19937_64 dice_;
  std::vector<std::string> ids_;
  // Walker's alias method (ACM TOMS 3(3), 1977): a draw in constant time.
  std::vector<double> threshold_;
  std::vector<std::uint32_t> alias_;
  std::vector<std::uint32_t> counts_;  // of the slice being drawn
  std::deque<std::vector<share>> ahead_;
  std::deque<std::vector<share>> slices_;
  std::vector<std::int64_t> totals_;
  std::uint64_t shares_ = 0;
};

}  // namespace skirmish::cli
