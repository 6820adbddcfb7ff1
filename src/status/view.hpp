// What readers see: an immutable view of the status, and the board where the keeper puts it for all
// threads.
#pragma once

#include "status/document.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
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
  std::atomic<bool> is_interval_set{false};  // live, instead of the setting
  std::atomic<bool> is_redis_up{false};
  std::atomic<bool> is_leader{false};

  // Set once, before any thread reads.
  std::chrono::milliseconds fresh_grace{0};
  std::chrono::milliseconds stale_after{0};
  timestamp started_at{};
  bool may_refresh = false;  // this process refreshes by the clock when it leads

  // Younger than this is fresh: a refresh was due no longer ago than the grace.
  [[nodiscard]] std::chrono::milliseconds fresh_limit() const noexcept {
    return std::chrono::milliseconds{interval_ms.load()} + fresh_grace;
  }
  // From this age on a refresh has failed to come: never before it is due.
  [[nodiscard]] std::chrono::milliseconds stale_limit() const noexcept {
    return std::max(stale_after, fresh_limit());
  }

  // The documents of the other game servers, by their names; one that nobody has asked yet is
  // missing. Null while there are no others.
  using named_documents = std::map<std::string, std::string, std::less<>>;
  void publish_servers(std::shared_ptr<const named_documents> next) {
    const std::lock_guard lock(mutex_);
    servers_ = std::move(next);
  }
  [[nodiscard]] std::shared_ptr<const named_documents> servers() const {
    const std::lock_guard lock(mutex_);
    return servers_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const view> view_;
  std::shared_ptr<const named_documents> servers_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::int64_t> good_until_{0};
};

}  // namespace skirmish::status
