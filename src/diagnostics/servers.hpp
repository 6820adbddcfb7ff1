// The processes of Skirmish that use this Redis: each says every few seconds that it is there.
#pragma once

#include "core/clock.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::diagnostics {

// What a process is.
inline constexpr std::array<std::string_view, 4> roles{"serve", "worker", "beat", "status-worker"};

struct server {
  std::string id;
  std::string role;
  std::string host;
  std::int64_t pid = 0;
  std::string version;
  timestamp started_at;
  timestamp seen_at;
  std::int64_t connections = 0;
  std::int64_t threads = 0;
  bool is_lost = false;  // it did not say that it ends, and is silent
};

class servers {
 public:
  static constexpr std::size_t listed_limit = 1'000;

  // `threads`: how many work, asked when this one announces itself. `role`: one of `roles`.
  servers(redis::client& redis, const redis::key_space& keys, const clock& time,
          metrics::registry& metrics, std::function<std::size_t()> threads,
          std::string role = "serve");

  // Says again and again that this process is there.
  awaitable<void> run();
  // Takes it out of the list, if Redis answers.
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
  std::function<std::size_t()> threads_;
  std::string role_;
  std::string id_;
  timestamp started_at_;
  bool is_listed_ = false;
  bool is_leaving_ = false;
};

}  // namespace skirmish::diagnostics
