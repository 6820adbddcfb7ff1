// Interactions as one feature of a server thread: the engine, what it leaves pending, and the event
// log.
#pragma once

#include "core/task_group.hpp"
#include "interactions/attack_records.hpp"
#include "interactions/event_log.hpp"
#include "interactions/interactions.hpp"
#include "interactions/interactions_routes.hpp"
#include "interactions/pending_acts.hpp"

namespace skirmish::interactions {

struct feature_settings {
  engine_settings engine;
  event_limits limits;
  std::chrono::milliseconds log_age{};  // of the event log's oldest entry
};

class feature {
 public:
  // Commits go through `commits`, which may run on a thread of its own.
  feature(asio::io_context& io, redis::client& redis, redis::client& commits,
          const redis::key_space& keys, const clock& time, metrics::registry& metrics,
          feature_settings s);

  void add_to(http::router& routes, realtime::gateway& gateway);
  void start(task_group& group);
  // One thread is enough: trimming is a command now and then, and a lease lets the flushers of one
  // server work at a time.
  void start_on_first(task_group& group);
  // Refuses what is not committed yet.
  awaitable<void> stop();

  // Called after each commit that had completions.
  void on_completions(std::function<void()> handler) { engine_.on_completions(std::move(handler)); }

  // Puts what players did in commits until now where it belongs, whichever server committed it.
  awaitable<void> flush_activity() { return pending_acts_.file_all(); }

  [[nodiscard]] engine& events() noexcept { return engine_; }
  [[nodiscard]] attack_records& attacks() noexcept { return attack_records_; }

 private:
  asio::io_context& io_;
  const redis::key_space& keys_;
  const clock& clock_;
  feature_settings settings_;
  engine engine_;
  event_log event_log_;
  attack_records attack_records_;
  pending_acts pending_acts_;
};

}  // namespace skirmish::interactions
