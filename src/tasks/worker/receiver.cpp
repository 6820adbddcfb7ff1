#include "tasks/worker/receiver.hpp"

#include "core/log.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>

#include <utility>

namespace skirmish::tasks {

receiver::receiver(worker_context& context, held_jobs& held,
                   std::function<void(job_ptr)> on_unknown)
    : context_(context), held_(held), on_unknown_(std::move(on_unknown)) {}

void receiver::receive(std::string envelope, std::string tag, std::string queue) {
  auto j = std::make_shared<job>(context_, std::move(envelope));
  j->m.tag = std::move(tag);
  j->m.queue = std::move(queue);
  j->received_s = unix_now_s();
  j->leased_s = j->received_s;
  if (const auto ok = parse_envelope(j->m); !ok)
    return move_to_dead_letters(context_, held_, std::move(j), ok.error().message);
  j->task = context_.find_task(j->m.task);
  if (j->task == nullptr) return on_unknown_(std::move(j));
  j->acks_late = j->task->definition->options.acks_late;
  if (j->m.restored >= context_.config.poison_limit) {
    settle_failed(*j,
                  make_failure("WorkerLostError",
                               fmt::format("{} workers died with this task", j->m.restored),
                               "billiard.exceptions"),
                  job_outcome::failure);
    auto reason = fmt::format("poison: {} workers died with it", j->m.restored);
    return move_to_dead_letters(context_, held_, std::move(j), std::move(reason));
  }
  const auto now = wall_now();
  if (j->m.expires && *j->m.expires < now) {
    settle_failed(*j, revoked_failure("expired"), job_outcome::revoked);
    context_.events.revoked(j->m.id, false, 0, true);
    return held_.end(std::move(j));
  }
  context_.events.received(j->m);
  if (!j->m.eta || *j->m.eta <= now) return held_.make_ready(std::move(j));
  const auto left = *j->m.eta - now;
  if (left <= context_.config.near_eta)
    held_.delay(std::move(j), held_jobs::clock::now() + left);
  else
    held_.schedule(std::move(j));
}

void move_to_dead_letters(worker_context& context, held_jobs& held, job_ptr j, std::string reason) {
  context.metrics.dead_letter();
  log::warn("task_dead_letter",
            {{"queue", j->m.queue}, {"id", j->m.id}, {"task", j->m.task}, {"reason", reason}});
  held.dead_letter(std::move(j), std::move(reason));
}

}  // namespace skirmish::tasks
