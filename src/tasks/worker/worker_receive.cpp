// Messages that arrive, tasks that start, and ends that the worker itself decides.
#include "core/log.hpp"
#include "tasks/worker/process_pool.hpp"
#include "tasks/worker/worker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace skirmish::tasks {

std::size_t worker::accept_fetched(const redis::value& reply) {
  const auto& found = reply.elements();
  std::size_t count = 0;
  for (std::size_t i = 0; i + 2 < found.size(); i += 3) {
    const auto position = static_cast<std::size_t>(found[i].as_integer().value_or(0));
    auto number = static_cast<std::uint64_t>(found[i + 2].as_integer().value_or(0));
    for (const auto& envelope : found[i + 1].elements()) {
      receive(envelope.as_string(), tag_prefix_ + std::to_string(number),
              fetch_queues_.at(position));
      ++number;
      ++count;
    }
  }
  totals_.fetched.fetch_add(count, std::memory_order_relaxed);
  // Fewer than asked for means that the lists were empty, and that tracking will tell when they are
  // not.
  return count;
}

void worker::receive(std::string envelope, std::string tag, std::string queue) {
  auto j = std::make_shared<job>(*this, std::move(envelope));
  j->m.tag = std::move(tag);
  j->m.queue = std::move(queue);
  j->received_s = unix_now_s();
  j->leased_s = j->received_s;
  if (const auto ok = parse_envelope(j->m); !ok) return dead_letter(j, ok.error().message);
  const auto known = task_states_.find(j->m.task);
  if (known == task_states_.end()) return welcome_stranger(std::move(j));
  j->task = known->second.get();
  j->acks_late = j->task->definition->options.acks_late;
  if (j->m.restored >= config_.poison_limit) {
    settle_failed(*j,
                  make_failure("WorkerLostError",
                               fmt::format("{} workers died with this task", j->m.restored),
                               "billiard.exceptions"),
                  outcome::failure);
    return dead_letter(j, fmt::format("poison: {} workers died with it", j->m.restored));
  }
  const auto now = wall_now();
  if (j->m.expires && *j->m.expires < now) {
    settle_failed(*j, revoked_failure("expired"), outcome::revoked);
    events_.revoked(j->m.id, false, 0, true);
    dropped_.push_back(j);
    return;
  }
  events_.received(j->m);
  if (!j->m.eta || *j->m.eta <= now) return ready_.push_back(j);
  const auto left = *j->m.eta - now;
  if (left <= config_.near_eta)
    waiting_.emplace(steady::now() + left, j);
  else
    far_.push_back(j);
}

void worker::release_due() {
  const auto now = steady::now();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const auto j = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    if (std::exchange(j->rate_waiting, false)) --waiting_count_;
    ready_.push_back(j);
  }
}

void worker::start(const std::vector<job_ptr>& all) {
  std::vector<job_ptr> for_pool;
  for (const auto& j : all) {
    events_.started(j->m);
    j->started_s = unix_now_s();
    const double ready_s = j->m.eta ? std::max(j->received_s, to_unix_s(*j->m.eta)) : j->received_s;
    if (metrics_) metrics_->started(std::max(0.0, j->started_s - ready_s));
    arm_limits(j);
    const auto& options = j->task->definition->options;
    if (options.track_started.value_or(app_.options.track_started) && j->stores_result()) {
      std::string document;
      const auto who = fmt::format(R"({{"pid": {}, "hostname": "{}"}})", ::getpid(), config_.node);
      append_result_document(document, {.id = j->m.id,
                                        .status = "STARTED",
                                        .result_json = who,
                                        .group = j->m.group,
                                        .parent_id = j->m.parent_id,
                                        .done = false});
      const std::lock_guard lock(states_mutex_);
      states_.emplace_back(app_.keys.result(j->m.id), std::move(document));
    }
    if (!j->task->definition->start) {
      for_pool.push_back(j);
      continue;
    }
    auto parsed = parse_body(j->m);
    if (!parsed) {
      settle_failed(*j, make_failure("DecodeError", parsed.error().message, "kombu.exceptions"),
                    outcome::failure);
      done_.push_back(j);
      continue;
    }
    auto body = std::make_shared<message_body>(std::move(*parsed));
    arguments given{std::move(body->args), std::move(body->kwargs)};
    const auto begin = steady::now();
    auto on_done = [this, j, body, begin](const std::exception_ptr& thrown, json value) {
      j->runtime_s = std::chrono::duration<double>(steady::now() - begin).count();
      if (!settle(*j, std::move(*body), thrown, std::move(value))) return;
      done_.push_back(j);
      if (!woken_.exchange(true)) wake();
    };
    j->task->definition->start(&io_, j, std::move(given), std::move(on_done));
  }
  pool_->submit(for_pool);
}

// ---- ends that the worker decides ----

void worker::arm_limits(const job_ptr& j) {
  const auto soft = j->m.soft_limit_s ? j->m.soft_limit_s : j->task->soft_limit_s;
  const auto hard = j->m.hard_limit_s ? j->m.hard_limit_s : j->task->hard_limit_s;
  const auto at = [](double s) {
    return steady::now() + std::chrono::microseconds(static_cast<std::int64_t>(s * 1e6));
  };
  if (soft) limits_.emplace(at(*soft), std::pair{std::weak_ptr<job>(j), false});
  if (hard) limits_.emplace(at(*hard), std::pair{std::weak_ptr<job>(j), true});
}

void worker::enforce_limits() {
  const auto now = steady::now();
  while (!limits_.empty() && limits_.begin()->first <= now) {
    const auto [weak, hard] = limits_.begin()->second;
    limits_.erase(limits_.begin());
    const auto j = weak.lock();
    if (!j || j->settled) continue;
    if (!hard) {
      j->soft_limit_passed = true;
      if (config_.in_sandbox) config_.in_sandbox->kill(*j, SIGUSR1);
      continue;
    }
    const auto limit = j->m.hard_limit_s ? *j->m.hard_limit_s : *j->task->hard_limit_s;
    failure_info why{"TimeLimitExceeded", json_array{json(limit)}, "billiard.exceptions", {}};
    give_up_running(j, std::move(why), outcome::failure, SIGKILL);
  }
}

void worker::give_up_running(const job_ptr& j, failure_info why, outcome how, int signum) {
  j->aborted = true;
  if (!settle_failed(*j, std::move(why), how)) return;
  if (config_.in_sandbox) config_.in_sandbox->kill(*j, signum);
  if (!j->task->definition->start) pool_->abandon_one();
  done_.push_back(j);
  if (!woken_.exchange(true)) wake();
}

std::string worker::dead_letter_entry(const job& j, std::string_view reason) const {
  json_object entry{{"reason", reason},     {"at", to_iso(wall_now())},
                    {"queue", j.m.queue},   {"priority", j.m.priority},
                    {"id", j.m.id},         {"task", j.m.task},
                    {"node", config_.node}, {"message", j.m.raw}};
  std::string out;
  append_json(out, json(std::move(entry)));
  return out;
}

void worker::dead_letter(const job_ptr& j, std::string reason) {
  totals_.dead_lettered.fetch_add(1, std::memory_order_relaxed);
  if (metrics_) metrics_->dead_letter();
  log::warn("task_dead_letter",
            {{"queue", j->m.queue}, {"id", j->m.id}, {"task", j->m.task}, {"reason", reason}});
  dead_.emplace_back(j, std::move(reason));
}

}  // namespace skirmish::tasks
