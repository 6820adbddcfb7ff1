// The warnings and errors that were logged within the last hour, for operators who cannot read the
// log. Kept in memory, of the whole process. Thread-safe.
#pragma once

#include "core/clock.hpp"
#include "core/log.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::log {

// All lines of one event.
struct recent_warning {
  level at_level = level::warn;
  std::string event;
  std::string message;     // the fields of the first one of its last second, as in the log
  timestamp first_at;      // since then it was never silent for an hour
  timestamp last_at;
  std::uint64_t count = 0;  // since first_at, with those that the log left out
};

class recent_warnings {
 public:
  static constexpr std::size_t events_limit = 500;
  static constexpr std::size_t message_max_bytes = 500;
  static constexpr std::chrono::hours kept{1};

  void note(level at, std::string_view event, fields values, timestamp now);
  // The latest first.
  std::vector<recent_warning> list(timestamp now, std::size_t limit);

 private:
  void drop_old(timestamp now);

  std::mutex mutex_;
  std::map<std::string, recent_warning, std::less<>> events_;
};

// Those that write() notes.
recent_warnings& warnings_of_process();

}  // namespace skirmish::log
