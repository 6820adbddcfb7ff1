// Messages of tasks that this worker does not know. They belong to the workers that know them: when
// another worker of the same queue has registered the name they go back, a little later each time,
// so that it can take them. Only what nobody knows is dead.
#include "core/log.hpp"
#include "tasks/admin/operator.hpp"
#include "tasks/worker/worker.hpp"

#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_patience = 500ms;
constexpr auto peers_are_fresh = 5s;
constexpr int questions_limit = 2;  // a peer may have been too busy to answer once
constexpr auto first_return = 100ms;
constexpr std::chrono::milliseconds longest_return = 2s;
constexpr int returns_limit = 1'500;  // about 50 minutes
constexpr auto log_interval = 60s;
constexpr std::size_t logged_names_limit = 1000;

std::chrono::milliseconds return_delay(int returned) {
  auto delay = std::chrono::milliseconds(first_return);
  for (int i = 0; i < returned && delay < longest_return; ++i) delay *= 2;
  return std::min(delay, longest_return);
}

// "proj.add [rate_limit=10/m]" as workers list it.
std::string name_in(std::string_view listed) {
  return std::string(listed.substr(0, listed.find(" [")));
}

}  // namespace

// Who else answers, what they have registered, and which queues they serve.
awaitable<void> worker::meet_peers() {
  if (steady::now() - peers_met_ < peers_are_fresh) co_return;
  const broker_view at{io_, side_, app_.keys};
  const json_object no_arguments;
  const json_object with_builtins{{"builtins", true}};
  const std::vector<std::string> everybody;
  const auto registered =
      co_await gather(at, "registered", with_builtins, everybody, answer_patience);
  const auto served =
      co_await gather(at, "active_queues", no_arguments, everybody, answer_patience);
  std::map<std::string, peer> found;
  for (const auto& [node, list] : registered)
    if (node != config_.node && list.is_array())
      for (const auto& name : list.get_array())
        if (name.is_string()) found[node].tasks.insert(name_in(name.get_string()));
  for (const auto& [node, list] : served)
    if (node != config_.node && list.is_array())
      for (const auto& queue : list.get_array())
        if (queue.is_object()) found[node].queues.emplace(text_at(queue.get_object(), "name"));
  peers_ = std::move(found);
  peers_met_ = steady::now();
}

// Empty when nobody does.
std::string worker::node_that_knows(const job& j) const {
  for (const auto& [node, about] : peers_)
    if (about.queues.contains(j.m.queue) && about.tasks.contains(std::string(j.m.task)))
      return node;
  return {};
}

// Throws when a queue that nobody chose is another program's.
awaitable<void> worker::check_default_queues() {
  if (!config_.queues_are_default) co_return;
  co_await meet_peers();
  for (const auto& [queue, weight] : config_.queues)
    for (const auto& [node, about] : peers_) {
      const auto foreign = std::ranges::find_if(about.tasks, [this](const std::string& name) {
        return !name.starts_with("celery.") && !task_states_.contains(name);
      });
      if (about.queues.contains(queue) && foreign != about.tasks.end())
        throw failure(errc::conflict,
                      fmt::format("the queue {} is served by {}, which has tasks that this worker "
                                  "does not know ({}); say which queues to serve: -Q QUEUES",
                                  queue, node, *foreign));
    }
}

void worker::welcome_stranger(job_ptr j) {
  strangers_.push_back(std::move(j));
  if (std::exchange(placing_strangers_, true)) return;
  auto place = [this]() -> awaitable<void> {
    try {
      co_await place_strangers();
    } catch (const failure& e) {
      // They are kept; the next one that comes, or the next second, asks again.
      log::warn("task_peers_unknown", {{"error", e.what()}});
    }
    placing_strangers_ = false;
  };
  group_.spawn("task_strangers", std::move(place));
}

awaitable<void> worker::place_strangers() {
  while (!strangers_.empty() && !stopping_) {
    co_await meet_peers();
    auto all = std::exchange(strangers_, {});
    for (auto& j : all) {
      const auto node = node_that_knows(*j);
      if (!node.empty() && j->m.returned < returns_limit) {
        note_return(*j, node);
        returning_.emplace(steady::now() + return_delay(j->m.returned), std::move(j));
      } else if (node.empty() && ++j->questions < questions_limit) {
        peers_met_ = {};
        strangers_.push_back(std::move(j));
      } else {
        refuse_stranger(j, node);
      }
    }
    if (!woken_.exchange(true)) wake();
  }
}

void worker::note_return(const job& j, const std::string& node) {
  ++returned_count_;
  const auto now = steady::now();
  if (returns_logged_.size() >= logged_names_limit) returns_logged_.clear();
  auto& last = returns_logged_[std::string(j.m.task)];
  if (last != steady::time_point() && now - last < log_interval) return;
  last = now;
  log::warn("task_returned", {{"task", j.m.task},
                              {"id", j.m.id},
                              {"queue", j.m.queue},
                              {"known_to", node},
                              {"returned_so_far", returned_count_}});
}

void worker::refuse_stranger(const job_ptr& j, const std::string& node) {
  j->problem = {"NotRegistered", json_array{json(j->m.task)}, std::string(exceptions_module), {}};
  settle_failed(*j, j->problem, outcome::failure);
  events_.failed(j->m.id, j->problem.repr(), {});
  dead_letter(j, node.empty()
                     ? fmt::format("no task {} is registered here", j->m.task)
                     : fmt::format("{} knows the task {}, but has not taken it: this worker got it "
                                   "{} times",
                                   node, j->m.task, j->m.returned + 1));
}

// Those whose time has come go to the end of their queue with the next turn.
void worker::return_due(turn_request& t) {
  const auto now = steady::now();
  while (!returning_.empty() && returning_.begin()->first <= now) {
    const auto j = returning_.begin()->second;
    returning_.erase(returning_.begin());
    envelope_edit edit;
    edit.returned = j->m.returned + 1;
    auto again = edit_envelope(j->m.raw, edit);
    t.put_back.insert(t.put_back.end(),
                      {j->m.tag, "last", app_.keys.queue(j->m.queue, priority_step(j->m.priority)),
                       again ? std::move(*again) : j->m.raw});
  }
}

// What the doctor reads.
awaitable<void> worker::tell_returned() {
  if (returned_told_ == returned_count_) co_return;
  returned_told_ = returned_count_;
  redis::checked(co_await side_.command("HSET", app_.keys.own("worker:", instance_), "returned",
                                        returned_told_));
}

}  // namespace skirmish::tasks
