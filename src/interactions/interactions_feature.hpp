// Interactions as one feature of a server thread: the engine, what it leaves pending, and the event
// log.
#pragma once

#include "core/task_group.hpp"
#include "interactions/attack_flusher.hpp"
#include "interactions/attack_records.hpp"
#include "interactions/event_log.hpp"
#include "interactions/interactions.hpp"
#include "interactions/interactions_routes.hpp"
#include "interactions/pending_activity.hpp"
#include "interactions/pending_watch.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace skirmish::interactions {

struct feature_settings {
  engine_settings engine;
  event_limits limits;
  std::chrono::milliseconds log_age{};  // of the event log's oldest entry
};

class feature {
 public:
  // Commits go through `commits` and the flushers through `flushes`, which may run on threads of
  // their own and are used by nobody else. `flushes` is null on all of a server's threads but the
  // first.
  feature(asio::io_context& io, redis::client& redis, redis::client& commits,
          redis::client* flushes, const redis::key_space& keys, const clock& time,
          metrics::registry& metrics, feature_settings s);

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
  awaitable<void> flush_activity();

  [[nodiscard]] engine& events() noexcept { return engine_; }
  // Bytes of the writes of all servers that are pending, and the age of the oldest; nullopt while
  // Redis does not say. On the first of a server's threads.
  [[nodiscard]] std::optional<std::pair<std::int64_t, std::chrono::milliseconds>> pending_figures()
      const;

 private:
  asio::io_context& io_;
  const redis::key_space& keys_;
  const clock& clock_;
  feature_settings settings_;
  engine engine_;
  event_log event_log_;
  attack_records attack_records_;
  pending_activity activity_;  // of all servers, for flush_activity()
  pending_watch pending_;
  struct flushers {
    flushers(redis::client& client, const redis::key_space& keys, const clock& time,
             const commit_settings& commit)
        : redis(client),
          attacks(client, keys, time),
          activity(client, keys, time, commit.slice_length, commit.actions_limit) {}
    redis::client& redis;
    attack_flusher attacks;
    pending_activity activity;
  };
  std::optional<flushers> flushers_;
};

}  // namespace skirmish::interactions
