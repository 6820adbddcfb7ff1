// The turn: what goes into it and what its answer means.
#include "core/log.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker/process_pool.hpp"
#include "tasks/worker/worker.hpp"

#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t turn_limit_jobs = 1000;
constexpr std::size_t turn_limit_bytes = 8 << 20;

}  // namespace

bool worker::turn_request::empty() const {
  return early.empty() && late.empty() && done.empty() && acks.empty() && pushes.empty() &&
         forget.empty() && results.empty() && events.empty() && chord_parts.empty() &&
         put_back.empty();
}

awaitable<void> worker::turn_loop() {
  while (true) {
    if (stopping_) {
      const bool all_written =
          running_.empty() && done_.empty() && dropped_.empty() && dead_.empty() && events_.empty();
      if (cold_ || all_written) break;
    }
    co_await take_turn();
    if (!far_.empty()) co_await flush_far();
  }
  if (!cold_) co_return;
  give_up_started();
  co_await take_turn();
}

// A cold shutdown: what is still held goes back and runs elsewhere; what was acknowledged when it
// started must not run again, so it fails.
void worker::give_up_started() {
  for (const auto& [tag, j] : running_) {
    j->aborted = true;
    if (j->acknowledged) {
      give_up_running(
          j,
          make_failure("WorkerLostError", "the worker was shut down before it had ended",
                       "billiard.exceptions"),
          outcome::failure, SIGKILL);
    } else if (!j->settled.exchange(true)) {
      if (config_.in_sandbox) config_.in_sandbox->kill(*j, SIGKILL);
      given_up_.push_back(j);
    }
  }
  for (const auto& j : given_up_) running_.erase(j->m.tag);
}

std::size_t worker::fetch_wish() const {
  if (stopping_ || !more_may_wait_ || config_.queues.empty()) return 0;
  // They do not count as prefetched: work of its own must not wait behind them. But they are
  // bounded.
  if (strangers_.size() + returning_.size() >= worker_fetch_limit) return 0;
  const auto limit = prefetch_limit();
  const auto held = ready_.size() + waiting_count_;
  const auto want = limit > held ? std::min(limit - held, worker_fetch_limit) : 0;
  // Many small fetches cost more than a few larger ones.
  if (!ready_.empty() && want * 2 < limit) return 0;
  return want;
}

awaitable<void> worker::take_turn() {
  release_due();
  enforce_limits();
  co_await grant_shared_rates();
  turn_request t;
  gather_done(t);
  gather_states(t);
  if (!stopping_) choose_starts(t);
  t.events = events_.take_envelopes();
  for (auto& envelope : app_.sent_events(t.sent)) t.events.push_back(std::move(envelope));
  const auto want = fetch_wish();
  if (t.empty() && want == 0) {
    if (pool_->spread()) {
      // Threads that block leave jobs waiting: look again soon.
      wake_.expires_after(1ms);
      error_code ignored;
      if (!woken_.exchange(false))
        co_await wake_.async_wait(asio::redirect_error(use_awaitable, ignored));
    } else {
      co_await rest();
    }
    co_return;
  }
  totals_.turns.fetch_add(1, std::memory_order_relaxed);
  if (results_) co_await send_results_apart(t);
  const auto replies = co_await send_surely(t, want);
  const auto parts = results_ ? 0 : t.chord_parts.size();
  if (!results_) after_chord_parts(t.chord_parts, replies, 0);
  const auto& lost = replies.at(parts);
  std::vector<bool> is_lost(t.early.size() + t.late.size());
  for (const auto& position : lost.elements())
    if (const auto p = position.as_integer();
        p && *p >= 0 && static_cast<std::size_t>(*p) < is_lost.size())
      is_lost[static_cast<std::size_t>(*p)] = true;
  std::vector<job_ptr> starting;
  const auto consider = [&](const job_ptr& j, std::size_t position) {
    if (is_lost[position]) {
      log::warn("task_lost_to_others", {{"id", j->m.id}, {"task", j->m.task}});
      running_.erase(j->m.tag);
    } else {
      j->acknowledged = !j->acks_late;
      starting.push_back(j);
    }
  };
  for (std::size_t i = 0; i < t.early.size(); ++i) consider(t.early[i], i);
  for (std::size_t i = 0; i < t.late.size(); ++i) consider(t.late[i], t.early.size() + i);
  start(starting);
  if (want > 0 && accept_fetched(replies.back()) >= want) more_may_wait_ = true;
}

// ---- what goes into a turn ----

void worker::gather_states(turn_request& t) {
  const std::lock_guard lock(states_mutex_);
  for (auto& state : states_) t.results.push_back(std::move(state));
  states_.clear();
}

void worker::gather_done(turn_request& t) {
  std::vector<job_ptr> from_pool;
  pool_->take_done(from_pool);
  done_.insert(done_.end(), from_pool.begin(), from_pool.end());
  std::size_t taken = 0;
  for (; taken < done_.size() && t.bytes < turn_limit_bytes && taken < turn_limit_jobs; ++taken)
    finish(done_[taken], t);
  done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(taken));
  for (const auto& j : dropped_) finish(j, t);
  dropped_.clear();
  for (const auto& [j, reason] : dead_) {
    t.put_back.insert(t.put_back.end(),
                      {j->m.tag, "dead", app_.keys.own("dead"), dead_letter_entry(*j, reason)});
    if (!j->document.empty())
      t.results.emplace_back(app_.keys.result(j->m.id), std::move(j->document));
  }
  dead_.clear();
  return_due(t);
  t.forget = std::exchange(forget_, {});
}

void worker::finish(const job_ptr& j, turn_request& t) {
  running_.erase(j->m.tag);
  if (j->task) ++j->task->total;
  if (metrics_) metrics_->ended(*j);
  ++processed_;
  const auto& id = j->m.id;
  switch (j->ended) {
    case outcome::success:
      totals_.succeeded.fetch_add(1, std::memory_order_relaxed);
      events_.succeeded(j->m, j->result_repr, j->runtime_s);
      break;
    case outcome::failure:
      totals_.failed.fetch_add(1, std::memory_order_relaxed);
      events_.failed(id, j->problem.repr(), j->problem.traceback);
      log::warn("task_failed", {{"task", j->m.task}, {"id", id}, {"error", j->problem.repr()}});
      if (j->is_last_failure()) {
        totals_.dead_lettered.fetch_add(1, std::memory_order_relaxed);
        if (metrics_) metrics_->dead_letter();
        t.pushes.push_back({app_.keys.own("dead"),
                            dead_letter_entry(*j, "failed " + std::to_string(j->m.retries + 1) +
                                                      " times: " + j->problem.repr())});
      }
      break;
    case outcome::retry:
      totals_.retried.fetch_add(1, std::memory_order_relaxed);
      events_.retried(id, j->problem.repr(), j->problem.traceback);
      break;
    case outcome::revoked: totals_.revoked.fetch_add(1, std::memory_order_relaxed); break;
    case outcome::rejected:
    case outcome::requeued:
      totals_.rejected.fetch_add(1, std::memory_order_relaxed);
      events_.rejected(id, j->ended == outcome::requeued);
      break;
    case outcome::ignored: break;
  }
  if (j->ended == outcome::requeued) {
    const auto list = app_.keys.queue(j->m.queue, priority_step(j->m.priority));
    if (j->acknowledged)
      t.pushes.push_back({list, j->m.raw});
    else
      t.put_back.insert(t.put_back.end(), {j->m.tag, "last", list, j->m.raw});
  } else if (j->ended == outcome::rejected && !j->acknowledged) {
    t.put_back.insert(t.put_back.end(), {j->m.tag, "dead", app_.keys.own("dead"),
                                         dead_letter_entry(*j, "rejected: " + j->problem.repr())});
  } else if (!j->acknowledged) {
    t.acks.push_back(j->m.tag);
  }
  if (j->noted) t.done.push_back(j->m.tag);
  for (auto& entry : j->follower_chords) t.results.push_back(std::move(entry));
  for (auto& fields : j->follower_events) t.sent.push_back(std::move(fields));
  for (auto& part : j->chord_parts) t.chord_parts.push_back(std::move(part));
  for (auto& follower : j->followers) t.pushes.push_back(std::move(follower));
  if (!j->document.empty()) {
    t.bytes += j->document.size();
    t.results.emplace_back(app_.keys.result(id), std::move(j->document));
  }
  for (auto& [other, document] : j->more_results)
    t.results.emplace_back(app_.keys.result(other), std::move(document));
}

void worker::choose_starts(turn_request& t) {
  const auto now = steady::now();
  while (running_.size() < config_.concurrency && !ready_.empty() &&
         t.early.size() + t.late.size() < turn_limit_jobs) {
    auto j = std::move(ready_.front());
    ready_.pop_front();
    if (!may_start(*j, now)) {
      if (j->settled)
        dropped_.push_back(j);
      else
        hold_back(j, std::chrono::duration<double>(j->task->next_start_s) - now.time_since_epoch());
      continue;
    }
    running_.emplace(j->m.tag, j);
    (j->acks_late ? t.late : t.early).push_back(j);
  }
}

void worker::hold_back(const job_ptr& j, std::chrono::duration<double> how_long) {
  j->rate_waiting = true;
  ++waiting_count_;
  waiting_.emplace(
      steady::now() + std::max(1us, std::chrono::ceil<std::chrono::microseconds>(how_long)), j);
}

// False when it was revoked or has expired (then it is settled), or has to wait for its rate limit.
bool worker::may_start(job& j, steady::time_point now) {
  if (is_revoked(j)) {
    if (settle_failed(j, revoked_failure("revoked"), outcome::revoked))
      events_.revoked(j.m.id, false, 0, false);
    return false;
  }
  if (j.m.expires && *j.m.expires < wall_now()) {
    if (settle_failed(j, revoked_failure("expired"), outcome::revoked))
      events_.revoked(j.m.id, false, 0, true);
    return false;
  }
  if (j.task->rate_interval_s <= 0) return true;
  const double t = std::chrono::duration<double>(now.time_since_epoch()).count();
  if (t < j.task->next_start_s) return false;
  // A start that came a little late is made up for, so that fast rates are reached; a rest is not.
  const double made_up_s = std::min(j.task->rate_interval_s, 0.05);
  j.task->next_start_s = std::max(j.task->next_start_s, t - made_up_s) + j.task->rate_interval_s;
  return true;
}

awaitable<void> worker::grant_shared_rates() {
  std::map<task_state*, std::size_t> asked;
  for (const auto& j : ready_)
    if (j->task->global_interval_s > 0 && !j->rate_granted) ++asked[j->task];
  for (const auto& [task, count] : asked) {
    const auto key = app_.keys.own("rate:", task->definition->name);
    const auto interval = fmt::format("{:.9f}", task->global_interval_s);
    const auto wanted = std::to_string(std::min(count, config_.concurrency));
    const std::vector<std::string_view> keys{key};
    const std::vector<std::string_view> args{interval, wanted};
    std::int64_t granted = 0;
    std::int64_t wait_ms = 1000;
    try {
      const auto reply = redis::checked(co_await side_.eval(scripts::rate, keys, args));
      granted = reply[0].as_integer().value_or(0);
      wait_ms = reply[1].as_integer().value_or(1000);
    } catch (const failure& e) {
      log::warn("task_rate_unknown", {{"task", task->definition->name}, {"error", e.what()}});
    }
    std::deque<job_ptr> kept;
    for (auto& j : ready_) {
      if (j->task != task || j->rate_granted) {
        kept.push_back(std::move(j));
      } else if (granted > 0) {
        --granted;
        j->rate_granted = true;
        kept.push_back(std::move(j));
      } else {
        hold_back(j, milliseconds(wait_ms));
      }
    }
    ready_ = std::move(kept);
  }
}

}  // namespace skirmish::tasks
