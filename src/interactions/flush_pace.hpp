// How much a flusher writes at a time, and how new commits give way to it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace skirmish::interactions {

// Redis serves its connections in turn: between two commits a flusher gets one step. A step of half
// a millisecond delays nobody noticeably, and while commits are small it is enough to use all the
// time that they leave. Under heavy load commits take a hundred milliseconds and more; then a step
// lasts for a part of the time that it waits for its turn, the longer the more is behind.
class flush_pace {
 public:
  // `cost`: what an item costs Redis, about.
  explicit flush_pace(std::chrono::nanoseconds cost) : cost_(cost) {}

  // A step of so many items was answered after that time.
  void note(std::size_t items, std::chrono::nanoseconds took) {
    const auto own = static_cast<std::int64_t>(items) * cost_;
    waits_ += (std::max(took - own, std::chrono::nanoseconds(0)) - waits_) / 4;
  }

  // Items of the next step. `age`: of the oldest that is pending.
  [[nodiscard]] std::size_t step(std::chrono::milliseconds age) const {
    const auto late = std::clamp(std::chrono::duration<double>(age).count() / 2, 0.1, 1.0);
    const auto share = std::chrono::duration_cast<std::chrono::nanoseconds>(late * waits_);
    const auto lasts = std::min<std::chrono::nanoseconds>(shortest + share, longest);
    return static_cast<std::size_t>(lasts / cost_);
  }

 private:
  static constexpr std::chrono::microseconds shortest{500};
  static constexpr std::chrono::milliseconds longest{25};

  std::chrono::nanoseconds cost_;
  std::chrono::nanoseconds waits_{0};  // for its turn, on average
};

// Bytes pending in all from which on nothing is committed.
constexpr std::int64_t pending_limit_bytes = std::int64_t{256} << 20;

// How long a server rests after a commit that left writes pending, in times of what the commit
// took. None up to a quarter of the bound, as much as the commit at half of it or a little more, 6
// at the bound, so that the flushers have most of Redis; at most 20. Evenly in between: latencies
// rise, nothing stops.
inline double rest_after_commit(std::chrono::milliseconds age, std::chrono::milliseconds bound,
                                std::int64_t bytes) {
  const auto late = std::chrono::duration<double>(age) / bound;
  const auto full = static_cast<double>(bytes) / static_cast<double>(pending_limit_bytes);
  const auto over = std::max(0.0, std::max(late, full) - 0.25);
  return std::min(12 * over * over, 20.0);
}

}  // namespace skirmish::interactions
