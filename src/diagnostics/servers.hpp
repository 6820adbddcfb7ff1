// The server processes that use this Redis: each says every few seconds that it is there.
#pragma once

#include "core/clock.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace skirmish::diagnostics {

struct server {
  std::string id;
  std::string host;
  std::int64_t pid = 0;
  std::string version;
  timestamp started_at;
  timestamp seen_at;
  std::int64_t connections = 0;
  bool is_lost = false;  // it did not say that it ends, and is silent
};

class servers {
 public:
  static constexpr std::size_t listed_limit = 1'000;

  servers(redis::client& redis, const redis::key_space& keys, const clock& time,
          metrics::registry& metrics);

  // Says again and again that this process is there.
  awaitable<void> run();
  // Takes it out of the list.
  awaitable<void> leave();

  // The latest seen first.
  awaitable<std::vector<server>> list();

 private:
  awaitable<timestamp> time_of_redis();
  awaitable<void> beat();
  awaitable<void> remove_old(timestamp now);

  redis::client& redis_;
  const redis::key_space& keys_;
  metrics::gauge& connections_;
  std::string id_;
  timestamp started_at_;
  bool is_listed_ = false;
  bool is_leaving_ = false;
};

}  // namespace skirmish::diagnostics
