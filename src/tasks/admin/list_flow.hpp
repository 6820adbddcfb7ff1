// What flows through a list of messages, from looks at it once per second: how fast, and how old
// its oldest message is. Messages carry no time of their own, so both follow from counting: the
// list is first in, first out, so its oldest message is the first one pushed that has not been
// taken.
//
// Pure: the caller reads Redis and tells the time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace skirmish::tasks {

class list_flow {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  struct look {
    time_point at;
    std::int64_t depth = 0;
    // Messages in front of the one that was the newest at the look before; nullopt when that one
    // has left, or was not looked for.
    std::optional<std::int64_t> pushed = {};
    // Whether one that is not found must have left; else it may stand too deep to be found.
    bool is_wholly_searched = true;
    // Messages that workers counted as taken since the look before: at least so many have left.
    std::int64_t taken = 0;
  };

  void add(const look& now);

  // Means over the last seconds; nullopt before the second look.
  [[nodiscard]] std::optional<double> in_per_s() const;
  [[nodiscard]] std::optional<double> out_per_s() const;
  // To the second. Messages that were there at the first look count from that look. nullopt when
  // the list is empty.
  [[nodiscard]] std::optional<double> oldest_age_s(time_point now) const;

 private:
  static constexpr std::size_t marks_limit = 512;
  static constexpr std::size_t mean_of_looks = 10;

  struct mark {
    time_point at;
    std::int64_t pushed = 0;  // all that had been pushed by then
  };
  struct counted {
    double seconds = 0;
    std::int64_t in = 0, out = 0;
  };
  void note_pushes(time_point at);
  [[nodiscard]] std::optional<double> rate(std::int64_t counted::* which) const;

  bool is_first_ = true;
  time_point last_at_;
  std::int64_t depth_ = 0;
  std::int64_t pushed_ = 0, popped_ = 0;  // since the first look; those of that look are pushed
  std::deque<mark> marks_;                // of messages that are still there, the oldest first
  std::deque<counted> recent_;
};

}  // namespace skirmish::tasks
