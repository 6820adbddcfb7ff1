// What the parts of one worker share: who it is, its settings, its connection, what it counts and
// the writes that wait for the next cycle. A part takes this and the other parts that it uses, so
// it can be tested without a worker.
#pragma once

#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "tasks/protocol/event.hpp"
#include "tasks/worker/job.hpp"
#include "tasks/worker/wake_signal.hpp"
#include "tasks/worker/worker_config.hpp"
#include "tasks/worker/worker_cycle.hpp"
#include "tasks/worker/worker_metrics.hpp"

#include <memory>
#include <string>

namespace skirmish::tasks {

class worker_context final : public job_host {
 public:
  // `given` is completed by defaults; the app must have all its tasks. Nothing connects before the
  // clients are run.
  worker_context(app::impl& owner, asio::io_context& io, worker_config given);

  // job_host
  void publish_state(const job& from, std::string document) override;
  [[nodiscard]] const app::impl& owner() const override { return application; }
  [[nodiscard]] const std::string& node() const override { return config.node; }

  // Publishes a worker event at once, without waiting for a cycle: they are few. `fields` is raw
  // JSON with a comma in front, or empty. A failure is ignored.
  void publish_event(std::string_view type, std::string_view fields);

  [[nodiscard]] const key_names& keys() const noexcept { return application.keys; }
  [[nodiscard]] std::string worker_key() const { return keys().own("worker:", instance); }
  [[nodiscard]] std::string running_key() const { return keys().own("running:", instance); }
  // Where results and chords are kept.
  [[nodiscard]] redis::client& results() { return separate_results ? *separate_results : side; }
  [[nodiscard]] bool has_separate_results() const noexcept { return separate_results != nullptr; }
  [[nodiscard]] std::int64_t result_ttl_s() const noexcept {
    return application.options.result_expires.count() / 1000;
  }
  // For keys that must expire.
  [[nodiscard]] std::int64_t chord_ttl_s() const noexcept;
  [[nodiscard]] std::size_t prefetch_limit() const noexcept;
  // The state of a registered task; null for others.
  [[nodiscard]] task_state* find_task(std::string_view name) const;

  app::impl& application;
  asio::io_context& io;
  worker_config config;                             // remote control changes queues and concurrency
  const std::string instance;                       // new for every start
  redis::client side;                               // for everything but worker cycles
  std::unique_ptr<redis::client> separate_results;  // null: results stand in the broker's Redis
  task_group background;
  event_writer events;
  task_states tasks;  // the registered ones
  worker_metrics metrics;
  pending_writes pending;
  wake_signal wake;
};

// The same settings with a timeout that suits a worker: a busy Redis may take seconds to answer.
redis::connection_config worker_connection(redis::connection_config from);

}  // namespace skirmish::tasks
