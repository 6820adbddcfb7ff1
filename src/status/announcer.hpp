// Tells of game servers that go down or come back: one task per change, which calls the webhook
// (webhook.hpp).
#pragma once

#include "config.hpp"
#include "core/asio.hpp"
#include "core/clock.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "status/observation.hpp"
#include "tasks/tasks.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <map>
#include <string>

namespace skirmish::status {

class announcer {
 public:
  // Throws failure{invalid_argument} for a bad status.webhook_url.
  announcer(asio::io_context& io, redis::client& redis, unsigned redis_database,
            const redis::key_space& keys, const config& settings, const clock& time);

  // Sends the task for the last change of `game`, unless it was sent: by this process or, as Redis
  // remembers, by another. Call it often; what fails is tried again. `name` is empty for the server
  // of status.probe.
  awaitable<void> tell(std::string name, observation game);

 private:
  asio::io_context& io_;
  redis::client& redis_;
  tasks::key_names keys_;
  const clock& clock_;
  bool is_on_;
  std::map<std::string, timestamp> told_;  // the last change of each server that was sent
  std::chrono::steady_clock::time_point try_again_at_{};
};

}  // namespace skirmish::status
