#include "metrics/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace skirmish::metrics {

void histogram::observe(double seconds) noexcept {
  const auto* bucket = std::lower_bound(bounds_s.begin(), bounds_s.end(), seconds);
  counts_[static_cast<std::size_t>(bucket - bounds_s.begin())].fetch_add(1,
                                                                         std::memory_order_relaxed);
  sum_ns_.fetch_add(static_cast<std::uint64_t>(seconds * 1e9), std::memory_order_relaxed);
}

void histogram::write(std::string& out, const std::string& name, const std::string& labels) const {
  const auto separator = labels.empty() ? "" : ",";
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    cumulative += counts_[i].load(std::memory_order_relaxed);
    const auto bound = i < bounds_s.size() ? fmt::format("{}", bounds_s[i]) : std::string("+Inf");
    out +=
        fmt::format("{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, separator, bound, cumulative);
  }
  const auto braces = labels.empty() ? std::string() : "{" + labels + "}";
  out += fmt::format("{}_sum{} {}\n", name, braces,
                     static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9);
  out += fmt::format("{}_count{} {}\n", name, braces, cumulative);
}

registry::series& registry::find_or_add(const std::string& name, const std::string& help, kind type,
                                        const std::string& labels) {
  auto found =
      std::find_if(families_.begin(), families_.end(), [&](auto& f) { return f.name == name; });
  if (found == families_.end()) {
    families_.push_back({name, help, type, {}});
    found = families_.end() - 1;
  }
  if (found->type != type) throw std::logic_error("metric registered with two types: " + name);
  auto& members = found->members;
  auto member =
      std::find_if(members.begin(), members.end(), [&](auto& s) { return s.labels == labels; });
  if (member == members.end()) member = members.insert(member, series{labels, nullptr, {}});
  return *member;
}

counter& registry::add_counter(const std::string& name, const std::string& help,
                               const std::string& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = find_or_add(name, help, kind::counter, labels);
  if (!slot.metric) slot.metric = &counters_.emplace_back();
  return *static_cast<counter*>(slot.metric);
}

gauge& registry::add_gauge(const std::string& name, const std::string& help,
                           const std::string& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = find_or_add(name, help, kind::gauge, labels);
  if (!slot.metric) slot.metric = &gauges_.emplace_back();
  return *static_cast<gauge*>(slot.metric);
}

histogram& registry::add_histogram(const std::string& name, const std::string& help,
                                   const std::string& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = find_or_add(name, help, kind::histogram, labels);
  if (!slot.metric) slot.metric = &histograms_.emplace_back();
  return *static_cast<histogram*>(slot.metric);
}

void registry::add_callback(const std::string& name, const std::string& help,
                            std::function<double()> read) {
  const std::lock_guard lock(mutex_);
  find_or_add(name, help, kind::gauge, {}).read = std::move(read);
}

std::string registry::text() const {
  static constexpr const char* type_names[] = {"counter", "gauge", "histogram"};
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& f : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", f.name, f.help, f.name,
                       type_names[static_cast<std::size_t>(f.type)]);
    for (const auto& s : f.members) {
      const auto braces = s.labels.empty() ? std::string() : "{" + s.labels + "}";
      if (s.read)
        out += fmt::format("{}{} {}\n", f.name, braces, s.read());
      else if (f.type == kind::counter)
        out += fmt::format("{}{} {}\n", f.name, braces,
                           static_cast<const counter*>(s.metric)->value());
      else if (f.type == kind::gauge)
        out +=
            fmt::format("{}{} {}\n", f.name, braces, static_cast<const gauge*>(s.metric)->value());
      else
        static_cast<const histogram*>(s.metric)->write(out, f.name, s.labels);
    }
  }
  return out;
}

std::string registry::label_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

}  // namespace skirmish::metrics
