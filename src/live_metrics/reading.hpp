// The metrics at one moment, as numbers: read from the text that /metrics answers, so that every
// kind of metric, and those that are computed when they are asked for, are found in one way.
#pragma once

#include "metrics/registry.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::live_metrics {

// How many observations each bucket of a histogram holds; the last one is of those over all bounds.
using buckets = std::array<double, metrics::histogram::bounds_s.size() + 1>;

class reading {
 public:
  // `text`: Prometheus' exposition format 0.0.4, as registry::text() writes it.
  explicit reading(std::string text);
  reading(const reading&) = delete;
  reading& operator=(const reading&) = delete;

  // The sum of all series of that name, or of those with `label` (`outcome="failed"`). nullopt when
  // there is none.
  [[nodiscard]] std::optional<double> sum(std::string_view name, std::string_view label = {}) const;
  // All series of a histogram as one. nullopt when there is none.
  [[nodiscard]] std::optional<buckets> histogram(std::string_view name) const;

 private:
  struct line {
    std::string_view name;
    std::string_view labels;
    double value = 0;
  };
  std::string text_;
  std::vector<line> lines_;  // parts of text_
};

// The value that `share` (0 to 1) of the observations do not exceed, linear within a bucket, as
// Prometheus' histogram_quantile(). Beyond the last bound it is that bound. nullopt without
// observations.
std::optional<double> quantile(const buckets& counts, double share);

}  // namespace skirmish::live_metrics
