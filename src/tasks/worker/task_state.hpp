// What a worker keeps per registered task: limits that remote control may change, and counts.
#pragma once

#include "skirmish/tasks/context.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::tasks {

// Seconds between two starts for "10/s", "100/m", "1/h" or "5" (per second); 0 means unlimited.
// Returns nullopt when the text is no rate.
std::optional<double> parse_rate_interval_s(std::string_view text);

// How often one worker may start a task.
class rate_limit {
 public:
  using clock = std::chrono::steady_clock;

  rate_limit() = default;
  // `text` as parse_rate_interval_s() reads it, which it must.
  explicit rate_limit(std::string text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  // When the next start is allowed; in the past or `now` when it is allowed at once.
  [[nodiscard]] clock::time_point next_start(clock::time_point now) const noexcept;
  void note_start(clock::time_point now) noexcept;

 private:
  std::string text_;
  double interval_s_ = 0;    // 0: unlimited
  double next_start_s_ = 0;  // of the steady clock
};

struct task_state {
  explicit task_state(std::shared_ptr<const task_definition> of);

  std::shared_ptr<const task_definition> definition;
  rate_limit rate;               // of this worker
  double shared_interval_s = 0;  // of the rate limit that all workers share; 0: unlimited
  std::optional<double> soft_limit_s, hard_limit_s;
  std::uint64_t total = 0;  // runs that ended
};

using task_states = std::map<std::string, std::unique_ptr<task_state>, std::less<>>;

}  // namespace skirmish::tasks
