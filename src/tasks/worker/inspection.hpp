// What a worker tells about itself when `inspect` asks.
#pragma once

#include "tasks/protocol/control_message.hpp"
#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/revocations.hpp"
#include "tasks/worker/worker_context.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::tasks {

class inspection {
 public:
  inspection(worker_context& context, const held_jobs& held, const revocations& revoked);

  // Returns nullopt for commands that are no questions, and for `scheduled`.
  [[nodiscard]] std::optional<json> answer(const received_request& r) const;
  // Tasks that wait here for their eta, and the first of those that wait in Redis.
  [[nodiscard]] awaitable<json> scheduled() const;

 private:
  using clock = std::chrono::steady_clock;
  [[nodiscard]] json stats() const;
  [[nodiscard]] json active_queues() const;
  [[nodiscard]] json registered() const;
  [[nodiscard]] json configuration() const;
  [[nodiscard]] json query(const std::vector<std::string>& ids) const;

  worker_context& context_;
  const held_jobs& held_;
  const revocations& revocations_;
  const clock::time_point started_at_ = clock::now();
};

}  // namespace skirmish::tasks
