#include "live_metrics/reading.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace skirmish::live_metrics {
namespace {

constexpr auto& bounds = metrics::histogram::bounds_s;

std::optional<double> number(std::string_view text) {
  double out = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, out);
  if (ec != std::errc{} || stop != end) return std::nullopt;
  return out;
}

// The bucket of `le="0.005"`; that of +Inf is the last.
std::optional<std::size_t> bucket_of(std::string_view labels) {
  constexpr std::string_view key = "le=\"";
  const auto at = labels.rfind(key);
  if (at == std::string_view::npos) return std::nullopt;
  auto text = labels.substr(at + key.size());
  text = text.substr(0, text.find('"'));
  if (text == "+Inf") return bounds.size();
  const auto bound = number(text);
  const auto found = bound ? std::ranges::find(bounds, *bound) : bounds.end();
  if (found == bounds.end()) return std::nullopt;
  return static_cast<std::size_t>(found - bounds.begin());
}

}  // namespace

reading::reading(std::string text) : text_(std::move(text)) {
  std::string_view rest = text_;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto row = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto space = row.rfind(' ');
    if (row.starts_with('#') || space == std::string_view::npos) continue;
    const auto value = number(row.substr(space + 1));
    if (!value) continue;
    const auto series = row.substr(0, space);
    const auto brace = std::min(series.find('{'), series.size());
    lines_.push_back({series.substr(0, brace), series.substr(brace), *value});
  }
}

std::optional<double> reading::sum(std::string_view name, std::string_view label) const {
  std::optional<double> out;
  for (const auto& l : lines_)
    if (l.name == name && (label.empty() || l.labels.find(label) != std::string_view::npos))
      out = out.value_or(0) + l.value;
  return out;
}

std::optional<buckets> reading::histogram(std::string_view name) const {
  const auto full = std::string(name) + "_bucket";
  std::optional<buckets> out;
  for (const auto& l : lines_) {
    if (l.name != full) continue;
    const auto bucket = bucket_of(l.labels);
    if (!bucket) continue;
    if (!out) out.emplace();
    (*out)[*bucket] += l.value;
  }
  // In the text each bucket counts those below it too.
  if (out)
    for (auto i = out->size() - 1; i > 0; --i) (*out)[i] -= (*out)[i - 1];
  return out;
}

std::optional<double> quantile(const buckets& counts, double share) {
  double total = 0;
  for (const auto n : counts) total += n;
  if (total <= 0) return std::nullopt;
  const auto rank = share * total;
  double below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (counts[i] > 0 && below + counts[i] >= rank) {
      const auto low = i == 0 ? 0.0 : bounds[i - 1];
      return low + (bounds[i] - low) * (rank - below) / counts[i];
    }
    below += counts[i];
  }
  return bounds.back();
}

}  // namespace skirmish::live_metrics
