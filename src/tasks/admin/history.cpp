#include "tasks/admin/history.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t pending_limit_events = 100'000;
constexpr std::size_t batch_events = 200;
constexpr auto batch_interval = 200ms;
constexpr auto lease_interval = 1s;
constexpr auto task_ttl_s = 7 * 86'400;
constexpr auto lease_time = 5s;
constexpr std::size_t id_max_bytes_of_events = 255;
constexpr std::size_t changed_limit = 200;
constexpr auto changes_interval = 1s;

std::string text_of(const json& v) {
  if (v.is_string()) return std::string(v.get_string());
  std::string out;
  append_json(out, v);
  return out;
}

// The state that an event means; empty for events that are not about tasks.
std::optional<std::string_view> state_of(std::string_view type) {
  if (type == "task-sent") return "PENDING";
  if (type == "task-received") return "RECEIVED";
  if (type == "task-started") return "STARTED";
  if (type == "task-succeeded") return "SUCCESS";
  if (type == "task-failed") return "FAILURE";
  if (type == "task-retried") return "RETRY";
  if (type == "task-revoked") return "REVOKED";
  if (type == "task-rejected") return "REJECTED";
  return std::nullopt;
}

}  // namespace

history_recorder::history_recorder(asio::io_context& io, redis::client& redis,
                                   redis::subscriber& subscriber, key_names keys,
                                   std::size_t limit_tasks, overview_board* board)
    : io_(io),
      redis_(redis),
      subscriber_(subscriber),
      keys_(std::move(keys)),
      limit_tasks_(limit_tasks),
      lease_(redis, keys_.own("history:leader"), lease_time),
      heard_(io),
      board_(board) {}

void history_recorder::on_event(std::string_view envelope) {
  if (pending_.size() >= pending_limit_events) return;
  const auto body = plain_body(envelope);
  if (!body) return;
  if (const auto* one = body->if_object()) note(*one);
  if (const auto* many = body->if_array())
    for (const auto& event : *many)
      if (event.is_object()) note(event.get_object());
}

void history_recorder::note(const json_object& event) {
  const auto* type = event.if_contains("type");
  const auto* id = event.if_contains("uuid");
  if (type == nullptr || id == nullptr || !type->is_string() || !id->is_string()) return;
  const auto state = state_of(std::string_view(type->get_string()));
  if (!state || id->get_string().size() > id_max_bytes_of_events) return;
  if (board_ && board_->task_readers > 0) {
    const std::string changed(id->get_string());
    if (changed_.size() < changed_limit || changed_.contains(changed))
      changed_.insert(changed);
    else
      ++left_out_;
  }
  const auto* at = event.if_contains("timestamp");
  const auto time =
      at && at->is_number() ? fmt::format("{:.6f}", at->to_number<double>()) : std::string("0");
  std::vector<std::string> fields;
  const auto take = [&](std::string_view from, std::string_view to) {
    const auto* v = event.if_contains(from);
    if (v == nullptr || v->is_null()) return;
    fields.emplace_back(to);
    fields.push_back(text_of(*v));
  };
  for (const auto name :
       {"name", "args", "kwargs", "root_id", "parent_id", "retries", "eta", "expires", "queue",
        "result", "runtime", "exception", "traceback", "terminated", "expired"})
    take(name, name);
  if (*state != "PENDING") take("hostname", "worker");
  const std::string_view moment = *state == "PENDING"    ? "sent"
                                  : *state == "RECEIVED" ? "received"
                                  : *state == "STARTED"  ? "started"
                                                         : "ended";
  fields.emplace_back(moment);
  fields.push_back(time);
  std::vector<std::string> words{std::string(id->get_string()), time, std::string(*state),
                                 std::to_string(fields.size() / 2)};
  words.insert(words.end(), fields.begin(), fields.end());
  if (pending_.empty()) heard_.set();
  pending_.push_back({std::chrono::steady_clock::now(), std::move(words)});
}

awaitable<void> history_recorder::write() {
  const bool leads = co_await lease_.hold();
  if (!leads) {
    // Forget what the leader has had time to write. After a failover the rest is written twice,
    // which is harmless.
    const auto old = std::chrono::steady_clock::now() - 2 * lease_time;
    while (!pending_.empty() && pending_.front().at < old) pending_.pop_front();
    co_return;
  }
  const auto prefix = keys_.own("history:");
  const std::vector<std::string_view> keys{prefix};
  const auto limit = std::to_string(limit_tasks_);
  const auto ttl = std::to_string(task_ttl_s);
  while (!pending_.empty()) {
    std::vector<std::string_view> args{limit, ttl};
    const auto count = std::min(batch_events, pending_.size());
    for (std::size_t i = 0; i < count; ++i)
      args.insert(args.end(), pending_[i].words.begin(), pending_[i].words.end());
    redis::checked(co_await redis_.eval(scripts::history, keys, args));
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

awaitable<void> history_recorder::show_changes() {
  const auto now = std::chrono::steady_clock::now();
  if (!board_ || changed_.empty() || now - shown_at_ < changes_interval) co_return;
  shown_at_ = now;
  const std::vector<std::string> ids(changed_.begin(), changed_.end());
  changed_.clear();
  const broker_view at{io_, redis_, keys_};
  auto rows = co_await read_rows(at, ids);
  const json_object body{{"items", std::move(rows)}, {"left_out", std::exchange(left_out_, 0)}};
  auto next = std::make_shared<changed_tasks>();
  next->rows = to_json_text(body, json_dialect::strict);
  board_->put_tasks(std::move(next));
}

awaitable<void> history_recorder::run() {
  redis::listener who;
  who.on_message = [this](std::string_view, std::string_view envelope) { on_event(envelope); };
  const auto subscription =
      subscriber_.subscribe_pattern(keys_.event_channel("task.*"), std::move(who));
  try {
    co_await redis_.wait_connected(batch_interval);  // not connected yet at a start
  } catch (const failure&) {
    // write() logs it.
  }
  const auto work = [this] { return lead(); };
  co_await redis::give_back_after(lease_, work);
}

awaitable<void> history_recorder::lead() {
  repeat how{.interval = lease_interval,
             .failed = "task_history_failed",
             .level = log::level::warn,
             .wake = &heard_};
  const auto round = [this] { return record(); };
  co_await repeat_every(std::move(how), round);
}

// The first event since the last round has woken it: what comes within the same moment goes along.
awaitable<void> history_recorder::record() {
  if (!pending_.empty()) {
    asio::steady_timer gathering(io_, next_tick(std::chrono::steady_clock::now(), batch_interval));
    co_await gathering.async_wait(use_awaitable);
  }
  co_await write();
  co_await show_changes();
}

}  // namespace skirmish::tasks
