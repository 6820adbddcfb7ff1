#include "tasks/worker/unknown_tasks.hpp"

#include "core/log.hpp"
#include "tasks/admin/operator.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/worker/receiver.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_patience = 500ms;
constexpr auto peers_are_fresh = 5s;
constexpr int questions_limit = 2;  // a worker may have been too busy to answer once
constexpr auto first_return = 100ms;
constexpr std::chrono::milliseconds longest_return = 2s;
constexpr int returns_limit = 1'500;  // about 50 minutes
constexpr auto log_interval = 60s;
constexpr std::size_t logged_names_limit = 1000;
constexpr std::size_t held_limit = worker_fetch_limit;

std::chrono::milliseconds return_delay(int times_returned) {
  auto delay = std::chrono::milliseconds(first_return);
  for (int i = 0; i < times_returned && delay < longest_return; ++i) delay *= 2;
  return std::min(delay, longest_return);
}

// The task's name in "proj.add [rate_limit=10/m]", as workers list it.
std::string name_in(std::string_view listed) {
  return std::string(listed.substr(0, listed.find(" [")));
}

}  // namespace

unknown_tasks::unknown_tasks(worker_context& context, held_jobs& held)
    : context_(context), held_(held) {}

bool unknown_tasks::is_full() const noexcept {
  return held_.count(job_stage::unknown) + held_.count(job_stage::returning) >= held_limit;
}

awaitable<void> unknown_tasks::ask_peers() {
  if (clock::now() - peers_asked_ < peers_are_fresh) co_return;
  const broker_view at{context_.io, context_.side, context_.keys()};
  const json_object no_arguments;
  const json_object with_builtins{{"builtins", true}};
  const std::vector<std::string> everybody;
  const auto& self = context_.config.node;
  const auto registered =
      co_await gather(at, "registered", with_builtins, everybody, answer_patience);
  const auto served =
      co_await gather(at, "active_queues", no_arguments, everybody, answer_patience);
  std::map<std::string, peer> found;
  for (const auto& [node, list] : registered)
    if (node != self && list.is_array())
      for (const auto& name : list.get_array())
        if (name.is_string()) found[node].tasks.insert(name_in(name.get_string()));
  for (const auto& [node, list] : served)
    if (node != self && list.is_array())
      for (const auto& queue : list.get_array())
        if (queue.is_object()) found[node].queues.emplace(text_at(queue.get_object(), "name"));
  peers_ = std::move(found);
  peers_asked_ = clock::now();
}

// A worker of the job's queue that has its task; empty when there is none.
std::string unknown_tasks::node_that_knows(const job& j) const {
  for (const auto& [node, about] : peers_)
    if (about.queues.contains(j.m.queue) && about.tasks.contains(std::string(j.m.task)))
      return node;
  return {};
}

awaitable<void> unknown_tasks::check_default_queues() {
  if (!context_.config.queues_are_default) co_return;
  co_await ask_peers();
  for (const auto& [queue, weight] : context_.config.queues)
    for (const auto& [node, about] : peers_) {
      const auto foreign =
          std::find_if(about.tasks.begin(), about.tasks.end(), [this](const std::string& name) {
            return !name.starts_with("celery.") && context_.find_task(name) == nullptr;
          });
      if (about.queues.contains(queue) && foreign != about.tasks.end())
        throw failure(errc::conflict,
                      fmt::format("the queue {} is served by {}, which has tasks that this worker "
                                  "does not know ({}); say which queues to serve: -Q QUEUES",
                                  queue, node, *foreign));
    }
}

void unknown_tasks::add(job_ptr j) {
  held_.hold_unknown(std::move(j));
  if (std::exchange(placing_, true)) return;
  auto work = [this]() -> awaitable<void> {
    try {
      co_await place_all();
    } catch (const failure& e) {
      // They stay held; the next message of an unknown task asks again.
      log::warn("task_peers_not_asked", {{"error", e.what()}});
    }
    placing_ = false;
  };
  context_.background.spawn("task_unknown", std::move(work));
}

awaitable<void> unknown_tasks::place_all() {
  while (held_.count(job_stage::unknown) > 0 && !stopping_) {
    co_await ask_peers();
    for (auto& j : held_.take(job_stage::unknown)) {
      const auto node = node_that_knows(*j);
      if (!node.empty() && j->m.returned < returns_limit) {
        log_return(*j, node);
        const auto at = clock::now() + return_delay(j->m.returned);
        held_.return_at(std::move(j), at);
      } else if (node.empty() && ++j->times_asked < questions_limit) {
        peers_asked_ = {};
        held_.hold_unknown(std::move(j));
      } else {
        refuse(std::move(j), node);
      }
    }
    context_.wake.notify();
  }
}

void unknown_tasks::log_return(const job& j, const std::string& node) {
  ++returned_;
  const auto now = clock::now();
  if (logged_.size() >= logged_names_limit) logged_.clear();
  auto& last = logged_[std::string(j.m.task)];
  if (last != clock::time_point() && now - last < log_interval) return;
  last = now;
  log::warn("task_returned", {{"task", j.m.task},
                              {"id", j.m.id},
                              {"queue", j.m.queue},
                              {"known_to", node},
                              {"returned_so_far", returned_}});
}

void unknown_tasks::refuse(job_ptr j, const std::string& node) {
  settle_failed(*j,
                {"NotRegistered", json_array{json(j->m.task)}, std::string(exceptions_module), {}},
                job_outcome::failure);
  context_.events.failed(j->m.id, j->problem.repr(), {});
  auto reason = node.empty() ? fmt::format("no task {} is registered here", j->m.task)
                             : fmt::format(
                                   "{} knows the task {}, but has not taken it: this worker got it "
                                   "{} times",
                                   node, j->m.task, j->m.returned + 1);
  move_to_dead_letters(context_, held_, std::move(j), std::move(reason));
}

awaitable<void> unknown_tasks::publish_count() {
  if (published_ == returned_) co_return;
  published_ = returned_;
  redis::checked(
      co_await context_.side.command("HSET", context_.worker_key(), "returned", published_));
}

}  // namespace skirmish::tasks
