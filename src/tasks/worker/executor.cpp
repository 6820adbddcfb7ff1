#include "tasks/worker/executor.hpp"

#include "tasks/protocol/wall_time.hpp"
#include "tasks/worker/process_pool.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace skirmish::tasks {

using namespace std::chrono_literals;

executor::executor(worker_context& context, held_jobs& held) : context_(context), held_(held) {
  auto run = [processes = context.config.processes](job& j) {
    return processes ? processes->run(j) : run_job(j);
  };
  auto on_done = [this] { context_.wake.notify_from_thread(); };
  pool_ = std::make_unique<thread_pool>(context.config.concurrency,
                                        thread_pool::callbacks{std::move(run), std::move(on_done)});
}

executor::~executor() {
  disown_all();
  pool_->stop(0ms);
}

void executor::disown_all() {
  for (const auto& j : held_.started()) {
    j->aborted = true;
    j->settled = true;
  }
}

void executor::start(const std::vector<job_ptr>& jobs) {
  std::vector<job_ptr> for_pool;
  for (const auto& j : jobs) {
    held_.run(j);
    context_.events.started(j->m);
    j->started_s = unix_now_s();
    const double ready_s = j->m.eta ? std::max(j->received_s, to_unix_s(*j->m.eta)) : j->received_s;
    context_.metrics.started(std::max(0.0, j->started_s - ready_s));
    arm_limits(j);
    const auto& options = j->task->definition->options;
    if (options.track_started.value_or(context_.application.options.track_started) &&
        j->stores_result())
      store_started(*j);
    if (j->task->definition->start)
      start_coroutine(j);
    else
      for_pool.push_back(j);
  }
  pool_->submit(for_pool);
}

void executor::store_started(const job& j) {
  const auto who =
      fmt::format(R"({{"pid": {}, "hostname": "{}"}})", ::getpid(), context_.config.node);
  std::string document;
  append_result_document(document, {.id = j.m.id,
                                    .status = "STARTED",
                                    .result_json = who,
                                    .group = j.m.group,
                                    .parent_id = j.m.parent_id,
                                    .done = false});
  context_.pending.add_result(context_.keys().result(j.m.id), std::move(document));
}

void executor::start_coroutine(const job_ptr& j) {
  auto parsed = parse_body(j->m);
  if (!parsed) {
    settle_failed(*j, make_failure("DecodeError", parsed.error().message, "kombu.exceptions"),
                  job_outcome::failure);
    held_.end(j);
    return;
  }
  auto body = std::make_shared<message_body>(std::move(*parsed));
  arguments given{std::move(body->args), std::move(body->kwargs)};
  const auto begin = clock::now();
  auto on_done = [this, j, body, begin](const std::exception_ptr& thrown, json value) {
    j->runtime_s = std::chrono::duration<double>(clock::now() - begin).count();
    if (!settle(*j, std::move(*body), thrown, std::move(value))) return;
    held_.end(j);
    context_.wake.notify();
  };
  j->task->definition->start(&context_.io, j, std::move(given), std::move(on_done));
}

void executor::collect() {
  std::vector<job_ptr> done;
  pool_->take_done(done);
  for (auto& j : done) held_.end(std::move(j));
}

void executor::arm_limits(const job_ptr& j) {
  const auto soft = j->m.soft_limit_s ? j->m.soft_limit_s : j->task->soft_limit_s;
  const auto hard = j->m.hard_limit_s ? j->m.hard_limit_s : j->task->hard_limit_s;
  const auto at = [](double s) {
    return clock::now() + std::chrono::microseconds(static_cast<std::int64_t>(s * 1e6));
  };
  if (soft) limits_.emplace(at(*soft), time_limit{j, false, *soft});
  if (hard) limits_.emplace(at(*hard), time_limit{j, true, *hard});
}

void executor::enforce_limits() {
  const auto now = clock::now();
  while (!limits_.empty() && limits_.begin()->first <= now) {
    const auto [of, is_hard, seconds] = limits_.begin()->second;
    limits_.erase(limits_.begin());
    const auto j = of.lock();
    if (!j || j->settled) continue;
    if (!is_hard) {
      j->soft_limit_passed = true;
      if (context_.config.processes) context_.config.processes->kill(*j, SIGUSR1);
      continue;
    }
    failure_info why{"TimeLimitExceeded", json_array{json(seconds)}, "billiard.exceptions", {}};
    give_up(j, std::move(why), job_outcome::failure, SIGKILL);
  }
}

std::optional<executor::clock::time_point> executor::next_limit() const {
  if (limits_.empty()) return std::nullopt;
  return limits_.begin()->first;
}

void executor::give_up(const job_ptr& j, failure_info why, job_outcome how, int signal_number) {
  j->aborted = true;
  if (!settle_failed(*j, std::move(why), how)) return;
  if (context_.config.processes) context_.config.processes->kill(*j, signal_number);
  if (!j->task->definition->start) pool_->abandon_one();
  held_.end(j);
  context_.wake.notify();
}

void executor::give_up_all() {
  for (const auto& j : held_.started()) {
    j->aborted = true;
    if (j->acknowledged) {
      give_up(j,
              make_failure("WorkerLostError", "the worker was shut down before the task had ended",
                           "billiard.exceptions"),
              job_outcome::failure, SIGKILL);
    } else if (!j->settled.exchange(true)) {
      if (context_.config.processes) context_.config.processes->kill(*j, SIGKILL);
      held_.give_up(j);
    }
  }
}

void executor::resize(std::size_t concurrency) {
  context_.config.concurrency = concurrency;
  pool_->resize(concurrency);
}

void executor::autoscale() {
  const auto& config = context_.config;
  const auto busy = held_.occupied() + held_.count(job_stage::ready);
  auto wanted = config.concurrency;
  if (busy > wanted)
    wanted = std::min(config.autoscale_max, busy);
  else if (busy < wanted)
    wanted = std::max({config.autoscale_min, busy, wanted - 1});
  if (wanted != config.concurrency) resize(wanted);
}

}  // namespace skirmish::tasks
