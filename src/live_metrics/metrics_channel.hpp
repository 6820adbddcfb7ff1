// The WebSocket channel `metrics`, for operators: the last 15 minutes of this server at once, then
// each second the next. A reader who is far behind misses seconds; after a second that was missed
// here, or a clock that was set, all get the 15 minutes again.
#pragma once

#include "core/event.hpp"
#include "live_metrics/series.hpp"
#include "realtime/realtime.hpp"

#include <memory>
#include <set>
#include <string>

namespace skirmish::live_metrics {

// Belongs to one thread.
class metrics_channel {
 public:
  static constexpr std::size_t readers_max = 1'000;  // on one thread
  static constexpr const char* name = "metrics";

  metrics_channel(asio::io_context& io, const recent_samples& samples)
      : samples_(samples), joined_(io) {}

  void add_to(realtime::gateway& gateway);
  // Pushes until cancelled.
  awaitable<void> run();

 private:
  awaitable<result<void>> join(realtime::connection& c, const realtime::json::object& message);
  void push_latest();
  void send(const std::string& frame);
  const std::string& whole_frame();

  const recent_samples& samples_;
  event joined_;
  std::set<std::shared_ptr<realtime::connection>> readers_;
  timestamp told_{};  // the last second that was sent, or would have been
  // Encoded once for all who come within a second.
  timestamp whole_until_{};
  std::string whole_;
};

}  // namespace skirmish::live_metrics
