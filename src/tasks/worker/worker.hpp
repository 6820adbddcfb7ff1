// A task worker: takes messages, runs their tasks, and writes what became of them.
//
// Everything but the task functions happens on one loop. Its heart is the worker cycle: one round
// trip to Redis that writes what ended, claims what starts, publishes the events and fetches more.
// Each cycle carries what gathered during the one before, so a busy worker's cycles are big, and an
// idle worker makes none.
//
// The worker only coordinates. Its parts own their state:
//   worker_context    settings, connections, counters: what all parts share
//   held_jobs         every job by stage
//   cycle_connection  executes a cycle exactly once, and fetches messages
//   receiver          decides what becomes of a fetched message
//   executor          runs jobs, enforces time limits
//   rate_limiter      rate limits that all workers share
//   unknown_tasks     messages of tasks that only other workers know
//   chord_joiner      sends the bodies of complete chords
//   eta_store         tasks whose eta is far ahead
//   revocations       revoked ids and stamps
//   heartbeater       registration, heartbeats, leases
//   recoverer         what dead workers held
//   janitor           what dead clients leave behind
//   remote_control    commands and inspection
#pragma once

#include "tasks/worker/chord_joiner.hpp"
#include "tasks/worker/cycle_connection.hpp"
#include "tasks/worker/eta_store.hpp"
#include "tasks/worker/executor.hpp"
#include "tasks/worker/heartbeater.hpp"
#include "tasks/worker/held_jobs.hpp"
#include "tasks/worker/janitor.hpp"
#include "tasks/worker/rate_limiter.hpp"
#include "tasks/worker/receiver.hpp"
#include "tasks/worker/recoverer.hpp"
#include "tasks/worker/remote_control.hpp"
#include "tasks/worker/revocations.hpp"
#include "tasks/worker/unknown_tasks.hpp"
#include "tasks/worker/worker_context.hpp"

namespace skirmish::tasks {

class worker {
 public:
  worker(app::impl& owner, asio::io_context& io, worker_config config);
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  // Works until stop(). Throws `failure` when Redis cannot be reached at the start, or when a
  // default queue belongs to another program.
  awaitable<void> run();
  // Warm: running tasks may end, the rest goes back to its queue. Called twice, or with `cold`:
  // what runs is given up, too.
  void stop(bool cold = false);

  // Waits until no thread runs a task any more. For tests that have stopped the loop.
  void join_threads(std::chrono::milliseconds patience) { executor_.stop(patience); }

  [[nodiscard]] const worker_totals& totals() const noexcept { return context_.metrics.totals(); }

 private:
  awaitable<void> work();
  void start_background();
  awaitable<void> beat();
  awaitable<void> heartbeat();
  awaitable<void> clean_up();
  awaitable<void> cycle_loop();
  awaitable<void> run_cycle();
  awaitable<void> rest();
  void collect_ended(worker_cycle& cycle);
  void account(job& j);
  void choose_starts(worker_cycle& cycle);
  [[nodiscard]] std::optional<std::string> refusal(const job& j) const;
  [[nodiscard]] std::size_t fetch_wish() const;
  awaitable<void> give_back_held();
  awaitable<void> say_farewell();
  awaitable<void> wind_down(task_group& connections);

  worker_context context_;
  held_jobs held_;
  executor executor_;
  rate_limiter rates_;
  unknown_tasks unknown_;
  receiver receiver_;
  chord_joiner chords_;
  eta_store etas_;
  revocations revocations_;
  heartbeater heartbeater_;
  recoverer recoverer_;
  janitor janitor_;
  cycle_connection cycles_;
  remote_control control_;
  bool stopping_ = false;
  bool cold_ = false;
};

}  // namespace skirmish::tasks
