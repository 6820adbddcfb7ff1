// Keeps a game server that misses a probe now and then from looking like one that is down.
#pragma once

#include "status/observation.hpp"

#include <optional>

namespace skirmish::status {

// Pure: what to publish after each observation. `is_online` turns false only after `failures_max`
// failed probes in a row, and true with the first good one. Until then the last good answer stands,
// with its own `observed_at`: the damping hides the failure, never its age. A server that is
// offline keeps what it said last, and when that was.
class damper {
 public:
  explicit damper(int failures_max) : failures_max_(failures_max) {}

  // What an earlier run published, so that a restart does not reset the picture.
  void restore(observation published) { published_ = std::move(published); }

  void observe(observation seen) {
    const bool was_online = published_ && published_->is_online;
    if (seen.is_online) {
      failures_ = 0;
      if (published_) seen.changed_at = was_online ? published_->changed_at : seen.checked_at;
      published_ = std::move(seen);
      return;
    }
    ++failures_;
    if (was_online && failures_ < failures_max_) return;
    failures_ = failures_max_;
    if (!published_) published_.emplace();
    published_->is_online = false;
    published_->latency_ms.reset();
    published_->checked_at = seen.checked_at;
    published_->problem = std::move(seen.problem);
    if (was_online) published_->changed_at = seen.checked_at;
  }

  // Nothing before the first observation.
  [[nodiscard]] const std::optional<observation>& published() const noexcept { return published_; }

 private:
  int failures_max_;
  int failures_ = 0;
  std::optional<observation> published_;
};

}  // namespace skirmish::status
