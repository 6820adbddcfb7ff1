// Keeps a fault that happens for every request from filling the disk with its log lines.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace skirmish::log {

// Not thread-safe.
class flood_guard {
 public:
  static constexpr std::uint64_t lines_per_second = 100;  // per event

  // Whether a line of this event may be written in this second: nullopt when not, else how many
  // were left out since the last one.
  std::optional<std::uint64_t> admit(std::string_view event, std::int64_t second) {
    auto found = events_.find(event);
    if (found == events_.end()) found = events_.emplace(event, state{}).first;
    auto& s = found->second;
    if (s.second != second) {
      s.second = second;
      s.written = 0;
    }
    if (s.written == lines_per_second) {
      ++s.left_out;
      return std::nullopt;
    }
    ++s.written;
    return std::exchange(s.left_out, 0);
  }

 private:
  struct state {
    std::int64_t second = 0;
    std::uint64_t written = 0;
    std::uint64_t left_out = 0;
  };
  // As many as there are names of events in the program.
  std::map<std::string, state, std::less<>> events_;
};

// Says a problem that lasts once, and then every ten seconds how often it came. Not thread-safe.
class repeat_guard {
 public:
  static constexpr std::int64_t interval_s = 10;
  static constexpr std::size_t problems_limit = 1'000;

  // Whether this one is said: nullopt when not, else how many were not since the last one that was.
  // `problem`: event and key together.
  std::optional<std::uint64_t> admit(std::string_view problem, std::int64_t second) {
    auto found = problems_.find(problem);
    if (found == problems_.end()) {
      if (problems_.size() >= problems_limit) problems_.clear();
      found = problems_.emplace(problem, state{second - interval_s, 0}).first;
    }
    auto& s = found->second;
    if (second - s.said_at < interval_s) {
      ++s.left_out;
      return std::nullopt;
    }
    s.said_at = second;
    return std::exchange(s.left_out, 0);
  }

 private:
  struct state {
    std::int64_t said_at = 0;
    std::uint64_t left_out = 0;
  };
  std::map<std::string, state, std::less<>> problems_;
};

}  // namespace skirmish::log
