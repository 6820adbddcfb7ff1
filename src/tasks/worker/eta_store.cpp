#include "tasks/worker/eta_store.hpp"

#include "core/log.hpp"
#include "core/repeat.hpp"
#include "redis/views.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t due_part = 200;  // tasks per script call
constexpr std::size_t store_part_jobs = 300;
constexpr auto retry_pause = 200ms;
constexpr std::chrono::milliseconds longest_sleep = 1s;

}  // namespace

eta_store::eta_store(worker_context& context, held_jobs& held)
    : context_(context), held_(held), wake_(context.io) {}

awaitable<void> eta_store::store() {
  while (held_.count(job_stage::scheduling) > 0) {
    const auto part = held_.take(job_stage::scheduling, store_part_jobs);
    const bool stored = co_await store_part(part);
    if (stored) continue;
    for (const auto& j : part) held_.schedule(j);
    asio::steady_timer timer(context_.io, retry_pause);
    co_await timer.async_wait(use_awaitable);
    co_return;
  }
  wake_.set();
}

awaitable<bool> eta_store::store_part(const std::vector<job_ptr>& jobs) {
  const auto& names = context_.keys();
  const auto unacked = names.unacked(), index = names.unacked_index(), eta = names.own("eta");
  const std::vector<std::string_view> keys{unacked, index, eta};
  std::vector<std::string> words;
  for (const auto& j : jobs)
    words.insert(words.end(),
                 {j->m.tag, fmt::format("{:.6f}", to_unix_s(*j->m.eta)),
                  names.queue(j->m.queue, priority_step(j->m.priority)) + "\n" + j->m.raw});
  const auto args = redis::views(words);
  try {
    redis::checked(co_await context_.side.eval(scripts::schedule, keys, args));
    co_return true;
  } catch (const failure& e) {
    // They are still held, or were moved and only the reply was lost: moving them again is
    // harmless.
    log::repeated(log::level::warn, e.what(), "task_schedule_failed", {{"error", e.what()}});
    co_return false;
  }
}

awaitable<std::chrono::milliseconds> eta_store::release_due() {
  // Early enough that a worker has fetched the task when its time comes.
  const double ahead_s = std::chrono::duration<double>(context_.config.near_eta).count() / 2;
  const auto eta = context_.keys().own("eta");
  const auto part = std::to_string(due_part);
  const auto ahead = fmt::format("{:.3f}", ahead_s);
  const std::vector<std::string_view> keys{eta};
  const std::vector<std::string_view> args{part, ahead};
  const auto reply = redis::checked(co_await context_.side.eval(scripts::due, keys, args));
  if (reply[0].as_integer().value_or(0) >= static_cast<std::int64_t>(due_part)) co_return 0ms;
  const auto next = reply[1].as_double();
  if (!next) co_return longest_sleep;
  const double left_s = *next - unix_now_s() - ahead_s;
  co_return std::clamp(milliseconds(static_cast<std::int64_t>(left_s * 1000)),
                       std::chrono::milliseconds(1ms), longest_sleep);
}

awaitable<void> eta_store::run() {
  while (!stopping_) {
    auto next = longest_sleep;
    try {
      next = co_await release_due();
    } catch (const failure&) {
      // The connection logs what is wrong.
    }
    const auto now = std::chrono::steady_clock::now();
    co_await wake_.wait_until(std::min(now + next, next_tick(now, longest_sleep)));
  }
}

void eta_store::stop() {
  stopping_ = true;
  wake_.set();
}

}  // namespace skirmish::tasks
