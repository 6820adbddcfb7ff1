#include "tasks/worker/task_state.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace skirmish::tasks {
namespace {

// How late a start may be for the next one to make up for it.
constexpr double catch_up_limit_s = 0.05;

double seconds_of(rate_limit::clock::time_point t) {
  return std::chrono::duration<double>(t.time_since_epoch()).count();
}

std::optional<double> seconds_of(const std::optional<milliseconds>& limit) {
  if (!limit) return std::nullopt;
  return std::chrono::duration<double>(*limit).count();
}

}  // namespace

std::optional<double> parse_rate_interval_s(std::string_view text) {
  if (text.empty() || text == "None") return 0.0;
  double per = 1.0;
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto unit = text.substr(slash + 1);
    if (unit == "s")
      per = 1.0;
    else if (unit == "m")
      per = 60.0;
    else if (unit == "h")
      per = 3600.0;
    else
      return std::nullopt;
    text = text.substr(0, slash);
  }
  double count = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (ec != std::errc{} || end != text.data() + text.size() || count < 0 || !std::isfinite(count))
    return std::nullopt;
  return count == 0 ? 0.0 : per / count;
}

rate_limit::rate_limit(std::string text)
    : text_(std::move(text)), interval_s_(parse_rate_interval_s(text_).value_or(0)) {}

rate_limit::clock::time_point rate_limit::next_start(clock::time_point now) const noexcept {
  if (interval_s_ <= 0 || seconds_of(now) >= next_start_s_) return now;
  const std::chrono::duration<double> left(next_start_s_ - seconds_of(now));
  return now +
         std::max(std::chrono::microseconds(1), std::chrono::ceil<std::chrono::microseconds>(left));
}

void rate_limit::note_start(clock::time_point now) noexcept {
  if (interval_s_ <= 0) return;
  // A start that came a little late is made up for, so that high rates are reached; idle time is
  // not.
  const double earliest_s = seconds_of(now) - std::min(interval_s_, catch_up_limit_s);
  next_start_s_ = std::max(next_start_s_, earliest_s) + interval_s_;
}

task_state::task_state(std::shared_ptr<const task_definition> of)
    : definition(std::move(of)),
      rate(definition->options.rate_limit),
      shared_interval_s(parse_rate_interval_s(definition->options.global_rate_limit).value_or(0)),
      soft_limit_s(seconds_of(definition->options.soft_time_limit)),
      hard_limit_s(seconds_of(definition->options.time_limit)) {}

}  // namespace skirmish::tasks
