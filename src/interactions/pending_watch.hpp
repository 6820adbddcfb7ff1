// What one server thread knows of the writes that are pending: for /metrics, for the status of the
// server, and for slowing down new events.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "interactions/pending_state.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

namespace skirmish::interactions {

class pending_watch {
 public:
  pending_watch(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
                const clock& time);

  // Looks four times a second while there is load, until cancelled; otherwise once a second when
  // `is_first`: of the server's threads.
  awaitable<void> run(bool is_first);

  // Commits of this thread leave writes pending.
  void note_load() { loaded_at_ = std::chrono::steady_clock::now(); }

  // Of the last seconds; nullopt when Redis has not answered in them.
  [[nodiscard]] std::optional<pending_state> state() const;
  // Zero when nothing is pending or nothing is known.
  [[nodiscard]] std::chrono::milliseconds age() const;

  // Adds skirmish_pending_age_seconds and skirmish_pending_bytes.
  void show_in(metrics::registry& metrics);

 private:
  struct shown {
    std::atomic<double> age_s{0};
    std::atomic<double> bytes{0};
  };
  [[nodiscard]] bool is_loaded() const;

  asio::io_context& io_;
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  std::chrono::steady_clock::time_point loaded_at_{};
  std::chrono::steady_clock::time_point read_at_{};
  pending_state state_;
  std::shared_ptr<shown> shown_ = std::make_shared<shown>();
};

}  // namespace skirmish::interactions
