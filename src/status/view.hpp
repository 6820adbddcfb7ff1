// What readers see: an immutable view of the status, and the board where the keeper puts it for all
// threads.
#pragma once

#include "status/document.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

namespace skirmish::status {

enum class origin {
  cache,       // Redis holds it
  database,    // Redis is down; read from the database
  last_known,  // neither answers: what was known last
  defaults,    // nor is anything known
};

struct view {
  document doc;
  origin from = origin::defaults;
  std::string problem;  // why it is not from the cache
};

// Thread-safe. One thread writes, all read; a reader keeps the view it got and looks at `version()`
// (one relaxed load) to learn of a newer one.
class view_board {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  // Readers may use the view until `good_until` without asking.
  void publish(std::shared_ptr<const view> next, time_point good_until) {
    {
      const std::lock_guard lock(mutex_);
      view_ = std::move(next);
    }
    good_until_ = good_until.time_since_epoch().count();
    version_.fetch_add(1, std::memory_order_release);
  }
  void extend(time_point good_until) { good_until_ = good_until.time_since_epoch().count(); }
  // From now on readers ask the keeper first.
  void invalidate() { good_until_ = 0; }

  [[nodiscard]] std::uint64_t version() const noexcept {
    return version_.load(std::memory_order_acquire);
  }
  [[nodiscard]] time_point good_until() const noexcept {
    return time_point{time_point::duration{good_until_.load(std::memory_order_relaxed)}};
  }
  [[nodiscard]] std::shared_ptr<const view> get() const {
    const std::lock_guard lock(mutex_);
    return view_;
  }

  // What else the keeper knows, for debug and health.
  std::atomic<std::int64_t> ttl_ms{0};       // of server:status; 0 when it is not there
  std::atomic<std::int64_t> interval_ms{0};  // in force now
  std::atomic<bool> is_redis_up{false};
  std::atomic<bool> is_leader{false};

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const view> view_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::int64_t> good_until_{0};
};

}  // namespace skirmish::status
