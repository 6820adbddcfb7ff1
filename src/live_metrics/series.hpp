// The series of the WebSocket channel `metrics`: one value per second of each.
#pragma once

#include "core/clock.hpp"
#include "live_metrics/reading.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::live_metrics {

// In the order of `names`.
enum series : std::size_t {
  interactions_per_s,
  commit_p50_ms,
  commit_p99_ms,
  requests_per_s,
  route_p99_ms,
  connections,
  tasks_started_per_s,
  tasks_failed_per_s,
  task_p99_ms,
  pending_mb,
  pending_age_s,
  window_lag_s,
  online,
  series_count
};
inline constexpr std::array<const char*, series_count> names{"interactions_per_s",
                                                             "commit_p50_ms",
                                                             "commit_p99_ms",
                                                             "requests_per_s",
                                                             "route_p99_ms",
                                                             "connections",
                                                             "tasks_started_per_s",
                                                             "tasks_failed_per_s",
                                                             "task_p99_ms",
                                                             "pending_mb",
                                                             "pending_age_s",
                                                             "window_lag_s",
                                                             "online"};

inline constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

struct values : std::array<double, series_count> {
  values() { fill(unknown); }
};

// What is known of a second.
struct sample {
  timestamp at;  // a whole second
  values of;
};

// What lies between two readings of this process's metrics. Quantiles are unknown when nothing
// happened.
values values_between(const reading& before, const reading& now,
                      std::chrono::duration<double> elapsed);

// The samples of the last 15 minutes. Thread-safe.
class recent_samples {
 public:
  static constexpr std::size_t capacity = 900;
  static constexpr std::chrono::seconds step{1};

  // Seconds that were missed are unknown. When the clock was set back, `s` comes after the others
  // all the same.
  void put(const sample& s);

  // nullopt before the first one.
  [[nodiscard]] std::optional<sample> latest() const;

  struct ring {
    timestamp until{};
    std::string json_text;  // {"step_s":1,"series":{"<name>":[900 numbers or null]},"until"}
  };
  [[nodiscard]] ring whole() const;

 private:
  mutable std::mutex mutex_;
  std::vector<values> ring_ = std::vector<values>(capacity);
  std::size_t next_ = 0;  // the oldest
  std::optional<sample> latest_;
};

// {"at","values":{"<name>":number or null}}
std::string to_json_text(const sample& s);

}  // namespace skirmish::live_metrics
