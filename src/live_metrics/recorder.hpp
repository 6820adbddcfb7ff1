// Records what this server does: a sample per second, from its metrics and from Redis.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "live_metrics/series.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace skirmish::live_metrics {

// Where Redis holds what all servers share.
struct redis_sources {
  // Bytes of writes that are not under their keys, and the age of the oldest; nullopt: unknown.
  std::function<std::optional<std::pair<std::int64_t, std::chrono::milliseconds>>()> pending;
  std::string online;  // a sorted set: the players who are online
};

// Belongs to one thread.
class recorder {
 public:
  recorder(asio::io_context& io, redis::client& redis, const clock& time,
           const metrics::registry& metrics, redis_sources sources, recent_samples& to)
      : io_(io),
        redis_(redis),
        clock_(time),
        metrics_(metrics),
        sources_(std::move(sources)),
        to_(to) {}

  // Until cancelled. run() never waits for Redis; run_redis() does.
  awaitable<void> run();
  awaitable<void> run_redis();

 private:
  // What Redis said is unknown after this time.
  static constexpr std::chrono::seconds known_for{3};

  struct answer {
    std::chrono::steady_clock::time_point at;
    double pending_mb = unknown;
    double pending_age_s = unknown;
    double online = unknown;
  };
  awaitable<void> ask_redis();
  void add_answer(values& to) const;

  asio::io_context& io_;
  redis::client& redis_;
  const clock& clock_;
  const metrics::registry& metrics_;
  redis_sources sources_;
  recent_samples& to_;
  answer answer_;
};

}  // namespace skirmish::live_metrics
