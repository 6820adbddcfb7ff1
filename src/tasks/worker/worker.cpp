#include "tasks/worker/worker.hpp"

#include "core/log.hpp"
#include "core/repeat.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/worker/unacked.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto connect_deadline = 10s;
constexpr auto longest_rest = 1s;
constexpr auto wind_down_patience = 5s;
constexpr auto pool_patience = 1000ms;
constexpr std::size_t cycle_limit_jobs = 1000;
constexpr std::size_t cycle_limit_bytes = 8 << 20;

std::string joined_names(const weighted_queues& queues) {
  std::string out;
  for (const auto& [name, weight] : queues) out += (out.empty() ? "" : ",") + name;
  return out;
}

}  // namespace

worker::worker(app::impl& owner, asio::io_context& io, worker_config config)
    : context_(owner, io, std::move(config)),
      executor_(context_, held_),
      rates_(context_, held_),
      unknown_(context_, held_),
      receiver_(context_, held_, [this](job_ptr j) { unknown_.add(std::move(j)); }),
      chords_(context_),
      etas_(context_, held_),
      revocations_(context_),
      heartbeater_(context_, held_),
      recoverer_(context_, held_),
      janitor_(context_, recoverer_),
      cycles_(context_, {[this](std::string envelope, std::string tag, std::string queue) {
                           receiver_.receive(std::move(envelope), std::move(tag), std::move(queue));
                         },
                         [this](const chord_part& last, std::vector<std::string> parts) {
                           chords_.join(last, std::move(parts));
                         }}),
      control_(context_, held_,
               {executor_, revocations_, heartbeater_, [this] { cycles_.expect_messages(); },
                [this] { stop(); }}) {}

// ---- life ----

awaitable<void> worker::run() {
  task_group connections(context_.io);
  connections.spawn("task_cycles", [this] { return cycles_.run(); });
  connections.spawn("task_side", [this] { return context_.side.run(); });
  connections.spawn("task_control", [this] { return control_.run(); });
  if (context_.separate_results)
    connections.spawn("task_results", [this] { return context_.separate_results->run(); });
  std::exception_ptr problem;
  try {
    co_await work();
  } catch (...) {
    problem = std::current_exception();
  }
  co_await wind_down(connections);
  if (problem) std::rethrow_exception(problem);
}

awaitable<void> worker::work() {
  co_await cycles_.wait_connected(connect_deadline);
  co_await context_.side.wait_connected(connect_deadline);
  co_await control_.listen();
  co_await unknown_.check_default_queues();
  co_await revocations_.synchronise();
  co_await beat();
  co_await heartbeater_.announce();
  start_background();
  log::info("task_worker_ready", {{"node", context_.config.node},
                                  {"instance", context_.instance},
                                  {"queues", joined_names(context_.config.queues)},
                                  {"concurrency", context_.config.concurrency},
                                  {"tasks", context_.tasks.size()}});
  co_await cycle_loop();
  co_await say_farewell();
}

void worker::start_background() {
  auto& group = context_.background;
  group.keep_running("task_etas", [this] { return etas_.run(); });
  const repeat beats{.interval = context_.config.heartbeat_interval,
                     .failed = "task_heartbeat_failed",
                     .level = log::level::warn,
                     .pauses_first = true};
  group.keep_running("task_heartbeat",
                     [this, beats] { return repeat_every(beats, [this] { return heartbeat(); }); });
  const repeat sweeps{.interval = context_.config.janitor_interval,
                      .failed = "task_janitor_failed",
                      .level = log::level::warn,
                      .pauses_first = true};
  group.keep_running("task_janitor", [this, sweeps] {
    return repeat_every(sweeps, [this] { return clean_up(); });
  });
}

// One heartbeat; recovers the workers that it finds dead.
awaitable<void> worker::beat() {
  const auto dead = co_await heartbeater_.beat();
  for (const auto& instance : dead)
    context_.background.spawn("task_recover",
                              [this, instance] { return recoverer_.recover(instance); });
  co_await unknown_.publish_count();
  if (context_.config.heartbeat_events)
    heartbeater_.send_event(
        std::chrono::duration<double>(context_.config.heartbeat_interval).count());
}

awaitable<void> worker::heartbeat() {
  co_await beat();
  if (context_.config.autoscale_max > 0) executor_.autoscale();
  if (context_.metrics.has_registry()) co_await heartbeater_.update_gauges();
}

awaitable<void> worker::clean_up() {
  co_await janitor_.sweep();
  co_await chords_.sweep();
  co_await revocations_.synchronise();
}

void worker::stop(bool cold) {
  cold_ = cold_ || cold || stopping_;
  if (cold_) cycles_.give_up();
  if (!stopping_) {
    log::info("task_worker_stopping",
              {{"node", context_.config.node}, {"running", held_.occupied()}});
    stopping_ = true;
    unknown_.stop();
    // Also when the cycle hangs because Redis is away.
    auto patience = [this]() -> awaitable<void> {
      asio::steady_timer timer(context_.io, context_.config.shutdown_patience);
      co_await timer.async_wait(use_awaitable);
      stop(true);
    };
    context_.background.spawn("task_patience", std::move(patience));
  }
  context_.wake.notify();
}

// What is held and has not started goes back to the serving end of its queue, in order.
awaitable<void> worker::give_back_held() {
  const auto held = held_.take_unstarted();
  std::vector<std::string> args;
  for (const auto& j : std::views::reverse(held)) {
    const auto& m = j->m;
    envelope_edit edit;
    edit.mark_redelivered = true;
    auto again = edit_envelope(m.raw, edit);
    args.insert(args.end(),
                {m.tag, "serve", context_.keys().queue(m.queue, priority_step(m.priority)),
                 again ? *again : m.raw});
  }
  co_await put_back(context_.side, context_.keys(), args);
  if (!held.empty()) log::info("task_worker_gave_back", {{"messages", held.size()}});
}

awaitable<void> worker::say_farewell() {
  try {
    co_await give_back_held();
    co_await heartbeater_.say_farewell();
  } catch (const failure& e) {
    // Another worker recovers what this one held.
    log::warn("task_worker_farewell_failed", {{"error", e.what()}});
  }
}

awaitable<void> worker::wind_down(task_group& connections) {
  etas_.stop();
  context_.background.close();
  co_await context_.background.wait(wind_down_patience);
  control_.stop_listening();
  executor_.disown_all();
  executor_.stop(cold_ ? 0ms : pool_patience);
  cycles_.stop();
  context_.side.stop();
  if (context_.separate_results) context_.separate_results->stop();
  control_.stop();
  co_await connections.wait(wind_down_patience);
  connections.close();
  co_await connections.wait(2s);
  log::info("task_worker_stopped", {{"node", context_.config.node},
                                    {"processed", totals().processed.load()},
                                    {"cycles", totals().cycles.load()}});
}

// ---- the cycle ----

awaitable<void> worker::cycle_loop() {
  while (true) {
    if (stopping_) {
      const bool all_written = held_.all_written() && context_.events.empty();
      if (cold_ || all_written) break;
    }
    co_await run_cycle();
    if (held_.count(job_stage::scheduling) > 0) co_await etas_.store();
  }
  if (!cold_) co_return;
  executor_.give_up_all();
  co_await run_cycle();
}

awaitable<void> worker::run_cycle() {
  executor_.enforce_limits();
  worker_cycle cycle;
  for (const auto& j : held_.release_due(steady::now())) cycle.add_return(*j, context_.keys());
  co_await rates_.grant_shared();
  collect_ended(cycle);
  context_.pending.move_to(cycle);
  if (!stopping_) choose_starts(cycle);
  cycle.events = context_.events.take_envelopes();
  for (auto& envelope : context_.application.sent_events(cycle.sent_events))
    cycle.events.push_back(std::move(envelope));
  const auto want = fetch_wish();
  if (cycle.empty() && want == 0) {
    co_await rest();
    co_return;
  }
  const auto reply = co_await cycles_.send(cycle, want);
  std::vector<job_ptr> confirmed;
  for (std::size_t i = 0; i < cycle.starts(); ++i) {
    const auto& j = cycle.start_at(i);
    if (reply.lost[i]) {
      log::warn("task_lost_to_another_worker", {{"id", j->m.id}, {"task", j->m.task}});
      held_.forget(j);
    } else {
      j->acknowledged = !j->acks_late;
      confirmed.push_back(j);
    }
  }
  executor_.start(confirmed);
  cycles_.accept(reply);
}

// Sleeps until something happens, or until the next thing that waits for its time.
awaitable<void> worker::rest() {
  if (executor_.spread()) {
    // Threads that block leave jobs waiting: look again soon.
    co_await context_.wake.wait_until(steady::now() + 1ms);
    co_return;
  }
  auto until = next_tick(steady::now(), longest_rest);
  if (const auto due = held_.next_due()) until = std::min(until, *due);
  if (const auto limit = executor_.next_limit()) until = std::min(until, *limit);
  const bool notified = co_await context_.wake.wait_until(until);
  // A safeguard for servers without tracking, and against a lost notice.
  if (!notified) cycles_.expect_messages();
}

void worker::collect_ended(worker_cycle& cycle) {
  executor_.collect();
  for (std::size_t i = 0; i < cycle_limit_jobs && cycle.document_bytes < cycle_limit_bytes; ++i) {
    const auto j = held_.take_ended();
    if (!j) break;
    account(*j);
    cycle.add_ended(*j, context_.keys());
    held_.forget(j);
  }
  for (const auto& j : held_.take(job_stage::dead_letter)) {
    cycle.add_dead_letter(*j, context_.keys());
    held_.forget(j);
  }
}

// Counts, logs and reports how a job ended.
void worker::account(job& j) {
  if (j.task) ++j.task->total;
  context_.metrics.ended(j);
  auto& events = context_.events;
  const auto& id = j.m.id;
  switch (j.ended) {
    case job_outcome::success: events.succeeded(j.m, j.result_repr, j.runtime_s); break;
    case job_outcome::failure:
      events.failed(id, j.problem.repr(), j.problem.traceback);
      log::warn("task_failed", {{"task", j.m.task}, {"id", id}, {"error", j.problem.repr()}});
      if (j.is_last_failure()) context_.metrics.dead_letter();
      break;
    case job_outcome::retry: events.retried(id, j.problem.repr(), j.problem.traceback); break;
    case job_outcome::rejected:
    case job_outcome::requeued: events.rejected(id, j.ended == job_outcome::requeued); break;
    case job_outcome::revoked:
    case job_outcome::ignored: break;
  }
}

// Why a job must not start: "revoked" or "expired".
std::optional<std::string> worker::refusal(const job& j) const {
  if (revocations_.is_revoked(j)) return "revoked";
  if (j.m.expires && *j.m.expires < wall_now()) return "expired";
  return std::nullopt;
}

void worker::choose_starts(worker_cycle& cycle) {
  const auto now = steady::now();
  while (held_.occupied() < context_.config.concurrency && cycle.starts() < cycle_limit_jobs) {
    const auto j = held_.take_ready();
    if (!j) return;
    if (const auto why = refusal(*j)) {
      if (settle_failed(*j, revoked_failure(why->c_str()), job_outcome::revoked))
        context_.events.revoked(j->m.id, false, 0, *why == "expired");
      held_.end(j);
      continue;
    }
    const auto allowed_at = j->task->rate.next_start(now);
    if (allowed_at > now) {
      held_.rate_limit(j, allowed_at);
      continue;
    }
    j->task->rate.note_start(now);
    held_.start(j);
    cycle.add_start(j);
  }
}

std::size_t worker::fetch_wish() const {
  if (stopping_ || !cycles_.may_have_messages() || context_.config.queues.empty()) return 0;
  if (unknown_.is_full()) return 0;
  const auto limit = context_.prefetch_limit();
  const auto ready = held_.count(job_stage::ready);
  const auto held = ready + held_.count(job_stage::rate_limited);
  const auto want = limit > held ? std::min(limit - held, worker_fetch_limit) : 0;
  // Many small fetches cost more than a few larger ones.
  if (ready > 0 && want * 2 < limit) return 0;
  return want;
}

}  // namespace skirmish::tasks
