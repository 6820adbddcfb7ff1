#include "tasks/worker/recoverer.hpp"

#include "core/log.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/worker/unacked.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t scan_count = 500;
constexpr auto written_poll = 100ms;
constexpr int written_polls = 40;

// The latest first. Tags of one instance differ in their number alone.
bool is_later(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() > b.size() : a > b;
}

}  // namespace

recoverer::recoverer(worker_context& context, held_jobs& held) : context_(context), held_(held) {}

awaitable<void> recoverer::recover(std::string instance) {
  log::warn("task_worker_dead", {{"instance", instance}});
  auto& redis = context_.side;
  const auto& names = context_.keys();
  const auto running = names.own("running:", instance);
  auto records = redis::checked(co_await redis.command("HGETALL", running)).as_pairs();
  std::set<std::string> started;
  for (const auto& [tag, record] : records) started.insert(tag);
  const auto pattern = "skirmish:" + instance + ":*";
  std::string cursor = "0";
  tagged_payloads held;
  do {
    const auto reply = redis::checked(co_await redis.command(
        "HSCAN", names.unacked(), cursor, "MATCH", pattern, "COUNT", scan_count));
    cursor = reply[0].as_string();
    for (auto& one : reply[1].as_pairs()) held.push_back(std::move(one));
  } while (cursor != "0");
  // Each goes to the serving end, so the earliest must go last.
  std::sort(held.begin(), held.end(),
            [](const auto& a, const auto& b) { return is_later(a.first, b.first); });
  co_await put_back_held(std::move(held), started);
  co_await report_lost(std::move(records));
  // The next cycle writes the results, and deletes the records in the same step.
  context_.pending.add_delete(running);
  context_.wake.notify();
  for (int i = 0; i < written_polls; ++i) {
    const auto left = redis::checked(co_await redis.command("EXISTS", running));
    if (!left.as_bool()) {
      redis::request gone;
      gone.push("DEL", names.own("worker:", instance));
      gone.push("ZREM", names.own("workers"), instance);
      redis::checked(co_await redis.exec(std::move(gone)));
      co_return;
    }
    asio::steady_timer timer(context_.io, written_poll);
    co_await timer.async_wait(use_awaitable);
  }
}

// Records of tasks that were acknowledged when they started, and will not run again.
awaitable<void> recoverer::report_lost(std::vector<std::pair<std::string, std::string>> records) {
  for (const auto& [tag, text] : records) {
    const auto record = parse_json(text);
    const auto* fields = record ? record->if_object() : nullptr;
    const auto* id = fields ? fields->if_contains("id") : nullptr;
    if (id == nullptr || !id->is_string()) continue;  // acknowledged late: it runs again
    const auto key = context_.keys().result(std::string_view(id->get_string()));
    const auto stored = redis::checked(co_await context_.results().command("GET", key));
    // The task may have ended just before its worker died.
    if (!is_final_document(stored.as_string())) fail_lost(*fields);
  }
}

// Lets the task fail as if it had ended here: its result, errbacks, chain and chord go with the
// next cycle.
void recoverer::fail_lost(const json_object& record) {
  auto why = make_failure("WorkerLostError", "the worker died while it ran this task",
                          "billiard.exceptions");
  if (const auto* raw = record.if_contains("message"); raw && raw->is_string()) {
    auto j = std::make_shared<job>(context_, std::string(raw->get_string()));
    if (parse_envelope(j->m)) {
      j->m.queue = j->m.routing_key;
      j->acknowledged = true;
      j->task = context_.find_task(j->m.task);
      settle_failed(*j, std::move(why), job_outcome::failure);
      held_.end(std::move(j));
      return;
    }
  }
  const std::string id(record.at("id").as_string());
  std::string document, why_json;
  append_json(why_json, why.to_json());
  append_result_document(document, {.id = id, .status = "FAILURE", .result_json = why_json});
  context_.events.failed(id, why.repr(), {});
  context_.pending.add_result(context_.keys().result(id), std::move(document));
}

awaitable<void> recoverer::put_back_held(tagged_payloads held,
                                         const std::set<std::string>& started) {
  const auto& names = context_.keys();
  std::vector<std::string> args;
  for (const auto& [tag, payload] : held) {
    const auto found = read_held(payload);
    message m(found ? found->envelope : std::string());
    const bool readable = found && parse_envelope(m);
    if (!readable) {
      std::string entry;
      append_json(
          entry,
          json_object{{"reason", "unreadable"}, {"at", to_iso(wall_now())}, {"message", payload}});
      args.insert(args.end(), {tag, "dead", names.own("dead"), std::move(entry)});
      continue;
    }
    envelope_edit edit;
    edit.mark_redelivered = true;
    // A message that had not started cannot have killed its worker.
    if (started.contains(tag)) edit.restored = m.restored + 1;
    auto again = edit_envelope(m.raw, edit);
    args.insert(args.end(), {tag, "serve", names.queue(found->queue, priority_step(m.priority)),
                             again ? *again : found->envelope});
    context_.metrics.recovered();
  }
  co_await put_back(context_.side, names, args);
}

}  // namespace skirmish::tasks
