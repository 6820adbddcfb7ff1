// What was invalidated lately. A server that takes over from another may lack the last writes of
// that one, invalidations among them, and would serve what they removed until its TTL ends.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <set>
#include <string>
#include <utility>

namespace skirmish::cache {

class recent_invalidations {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kept{1};
  static constexpr std::size_t limit = 10'000;  // beyond it the oldest are left to their TTL

  void note(std::string name, time_point now) {
    if (names_.size() >= limit) names_.pop_front();
    names_.emplace_back(now, std::move(name));
  }
  // Forgets what was invalidated before.
  void forget(time_point before) {
    while (!names_.empty() && names_.front().first < before) names_.pop_front();
  }
  // Names that were invalidated within the minute before `lost_at`, when the server was lost, and
  // since.
  [[nodiscard]] std::set<std::string> around(time_point lost_at) const {
    std::set<std::string> out;
    for (const auto& [at, name] : names_)
      if (at >= lost_at - kept) out.insert(name);
    return out;
  }

 private:
  std::deque<std::pair<time_point, std::string>> names_;  // in the order of their times
};

}  // namespace skirmish::cache
