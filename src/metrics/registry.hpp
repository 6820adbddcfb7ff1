// Metrics: counters, gauges and histograms, shared by all threads, shown as Prometheus text
// (exposition format 0.0.4).
//
// Register once, at construction; keep the reference; update it from any thread with a relaxed
// atomic. Labels are given at registration, never built from user input, so the number of series is
// bounded.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::metrics {

class counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class gauge {
 public:
  void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Seconds, in buckets from 100 microseconds to 10 s.
class histogram {
 public:
  static constexpr std::array<double, 16> bounds_s{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                   0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                   1.0,    2.5,     5.0,    10.0};
  void observe(double seconds) noexcept;
  void write(std::string& out, const std::string& name, const std::string& labels) const;

 private:
  std::array<std::atomic<std::uint64_t>, bounds_s.size() + 1> counts_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

class registry {
 public:
  // `name` follows Prometheus' rules and carries its unit (`_seconds`, `_bytes`, `_total`).
  // `labels` is empty or like `route="/api/players"`. The same name and labels give the same metric
  // again.
  counter& add_counter(const std::string& name, const std::string& help,
                       const std::string& labels = {});
  gauge& add_gauge(const std::string& name, const std::string& help,
                   const std::string& labels = {});
  histogram& add_histogram(const std::string& name, const std::string& help,
                           const std::string& labels = {});

  // A value read when the text is made. `read` must be callable from any thread for the life of the
  // registry.
  void add_callback(const std::string& name, const std::string& help, std::function<double()> read);

  // All metrics as Prometheus text.
  [[nodiscard]] std::string text() const;

  // `value` as it may stand between the quotes of a label.
  static std::string label_value(std::string_view value);

 private:
  enum class kind { counter, gauge, histogram };
  struct series {
    std::string labels;
    void* metric = nullptr;
    std::function<double()> read;
  };
  struct family {
    std::string name;
    std::string help;
    kind type;
    std::vector<series> members;
  };

  series& find_or_add(const std::string& name, const std::string& help, kind type,
                      const std::string& labels);

  mutable std::mutex mutex_;
  std::deque<family> families_;
  std::deque<counter> counters_;
  std::deque<gauge> gauges_;
  std::deque<histogram> histograms_;
};

}  // namespace skirmish::metrics
