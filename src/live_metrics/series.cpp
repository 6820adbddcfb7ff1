#include "live_metrics/series.hpp"

#include "core/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace skirmish::live_metrics {
namespace {

std::optional<buckets> difference(const std::optional<buckets>& before,
                                  const std::optional<buckets>& now) {
  if (!now) return std::nullopt;
  auto out = *now;
  // One that was not there before began at 0.
  if (before)
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::max(0.0, out[i] - (*before)[i]);
  return out;
}

// Rounded so that a whole ring stays small.
void append(std::string& out, double value) {
  append_json_number(out, std::round(value * 1'000) / 1'000);
}

}  // namespace

values values_between(const reading& before, const reading& now,
                      std::chrono::duration<double> elapsed) {
  const auto per_s = [&](std::string_view name, std::string_view label = {}) {
    const auto end = now.sum(name, label);
    if (!end || elapsed.count() <= 0) return unknown;
    return std::max(0.0, *end - before.sum(name, label).value_or(0)) / elapsed.count();
  };
  const auto between = [&](std::string_view name) {
    return difference(before.histogram(name), now.histogram(name));
  };
  const auto ms = [](const std::optional<buckets>& of, double share) {
    const auto seconds = of ? quantile(*of, share) : std::nullopt;
    return seconds ? *seconds * 1'000 : unknown;
  };
  const auto commits = between("skirmish_commit_duration_seconds");
  values out;
  out[interactions_per_s] = per_s("skirmish_events_accepted_total");
  out[commit_p50_ms] = ms(commits, 0.5);
  out[commit_p99_ms] = ms(commits, 0.99);
  out[requests_per_s] = per_s("skirmish_http_request_duration_seconds_count");
  out[route_p99_ms] = ms(between("skirmish_http_request_duration_seconds"), 0.99);
  out[connections] = now.sum("skirmish_http_connections").value_or(unknown);
  out[tasks_started_per_s] = per_s("skirmish_task_wait_seconds_count");
  out[tasks_failed_per_s] = per_s("skirmish_tasks_total", "outcome=\"failed\"");
  out[task_p99_ms] = ms(between("skirmish_task_runtime_seconds"), 0.99);
  out[window_lag_s] = now.sum("skirmish_window_lag_seconds").value_or(unknown);
  return out;
}

void recent_samples::put(const sample& s) {
  const std::lock_guard lock(mutex_);
  const auto steps = latest_ ? (s.at - latest_->at) / step : 1;
  const auto missed = std::clamp<std::int64_t>(steps - 1, 0, capacity);
  const auto append = [this](const values& of) {
    ring_[next_] = of;
    next_ = (next_ + 1) % capacity;
  };
  for (std::int64_t i = 0; i < missed; ++i) append({});
  append(s.of);
  latest_ = s;
}

std::optional<sample> recent_samples::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

recent_samples::ring recent_samples::whole() const {
  std::vector<values> all;
  std::size_t oldest = 0;
  timestamp until{};
  {
    const std::lock_guard lock(mutex_);
    all = ring_;
    oldest = next_;
    if (latest_) until = latest_->at;
  }
  std::string out = R"({"step_s":1,"series":{)";
  for (std::size_t i = 0; i < series_count; ++i) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":", i == 0 ? "" : ",", names[i]);
    for (std::size_t n = 0; n < capacity; ++n) {
      out += n == 0 ? '[' : ',';
      append(out, all[(oldest + n) % capacity][i]);
    }
    out += ']';
  }
  fmt::format_to(std::back_inserter(out), R"(}},"until":"{}"}})", to_rfc3339(until));
  return {until, std::move(out)};
}

std::string to_json_text(const sample& s) {
  auto out = fmt::format(R"({{"at":"{}","values":{{)", to_rfc3339(s.at));
  for (std::size_t i = 0; i < series_count; ++i) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":", i == 0 ? "" : ",", names[i]);
    append(out, s.of[i]);
  }
  return out + "}}";
}

}  // namespace skirmish::live_metrics
