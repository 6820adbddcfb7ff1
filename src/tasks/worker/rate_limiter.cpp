#include "tasks/worker/rate_limiter.hpp"

#include "core/log.hpp"
#include "tasks/scripts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace skirmish::tasks {

rate_limiter::rate_limiter(worker_context& context, held_jobs& held)
    : context_(context), held_(held) {}

awaitable<rate_limiter::answer> rate_limiter::ask(const task_state& task, std::size_t wanted) {
  const auto& name = task.definition->name;
  const auto key = context_.keys().own("rate:", name);
  const auto interval = fmt::format("{:.9f}", task.shared_interval_s);
  const auto count = std::to_string(wanted);
  const std::vector<std::string_view> keys{key};
  const std::vector<std::string_view> args{interval, count};
  answer out;
  try {
    const auto reply = redis::checked(co_await context_.side.eval(scripts::rate, keys, args));
    out.granted = reply[0].as_integer().value_or(0);
    out.wait = milliseconds(reply[1].as_integer().value_or(out.wait.count()));
  } catch (const failure& e) {
    log::warn("task_rate_unknown", {{"task", name}, {"error", e.what()}});
  }
  co_return out;
}

awaitable<void> rate_limiter::grant_shared() {
  std::map<task_state*, std::size_t> wanted;
  for (const auto& j : held_.ready())
    if (j->task->shared_interval_s > 0 && !j->rate_granted) ++wanted[j->task];
  for (const auto& [task, count] : wanted) {
    auto said = co_await ask(*task, std::min(count, context_.config.concurrency));
    const auto until = held_jobs::clock::now() + std::max<held_jobs::clock::duration>(
                                                     std::chrono::microseconds(1), said.wait);
    // Each ready job in turn, so that their order stays.
    for (auto left = held_.ready().size(); left > 0; --left) {
      auto j = held_.take_ready();
      const bool asked = j->task == task && !j->rate_granted;
      if (asked && said.granted <= 0) {
        held_.rate_limit(std::move(j), until);
        continue;
      }
      if (asked) {
        --said.granted;
        j->rate_granted = true;
      }
      held_.make_ready(std::move(j));
    }
  }
}

}  // namespace skirmish::tasks
