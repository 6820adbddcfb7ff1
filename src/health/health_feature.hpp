// What orchestrators and Prometheus ask: /healthz, /readyz, /metrics.
#pragma once

#include "db/database.hpp"
#include "http/router.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <utility>

namespace skirmish::health {

class feature {
 public:
  // `key` is written by /readyz. `all_connected`: whether every server thread has its connections
  // to Redis; asked on this thread. `prepared`: whether the tables are there and the first key is
  // made.
  feature(redis::client& redis, std::string key, db::database& db, metrics::registry& metrics,
          const std::atomic<bool>& prepared, std::function<bool()> all_connected)
      : redis_(redis),
        key_(std::move(key)),
        db_(db),
        metrics_(metrics),
        prepared_(prepared),
        all_connected_(std::move(all_connected)) {}

  void add_to(http::router& routes);

 private:
  awaitable<http::response> ready();
  awaitable<void> ask_redis();

  redis::client& redis_;
  std::string key_;
  db::database& db_;
  metrics::registry& metrics_;
  const std::atomic<bool>& prepared_;
  std::function<bool()> all_connected_;
};

}  // namespace skirmish::health
