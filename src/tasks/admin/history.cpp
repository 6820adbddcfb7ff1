#include "tasks/admin/history.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
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
constexpr auto task_ttl_s = 7 * 86'400;
constexpr auto lease_time = 5s;
constexpr std::size_t scan_tasks = 200;  // read from an index at a time
constexpr std::size_t scan_limit_tasks = 10'000;

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
                                   std::size_t limit_tasks)
    : io_(io),
      redis_(redis),
      subscriber_(subscriber),
      keys_(std::move(keys)),
      limit_tasks_(limit_tasks),
      lease_(redis, keys_.own("history:leader"), lease_time) {}

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
  if (!state) return;
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
  pending_.push_back({std::chrono::steady_clock::now(), std::move(words)});
}

awaitable<void> history_recorder::write() {
  leading_ = co_await lease_.hold();
  if (!leading_) {
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

awaitable<void> history_recorder::run() {
  redis::listener who;
  who.on_message = [this](std::string_view, std::string_view envelope) { on_event(envelope); };
  const auto subscription =
      subscriber_.subscribe_pattern(keys_.event_channel("task.*"), std::move(who));
  asio::steady_timer timer(io_);
  try {
    co_await redis_.wait_connected(batch_interval);  // not connected yet at a start
  } catch (const failure&) {
    // write() logs it.
  }
  while (true) {
    try {
      co_await write();
    } catch (const failure& e) {
      leading_ = false;
      log::warn("task_history_failed", {{"error", e.what()}});
    }
    timer.expires_after(batch_interval);
    co_await timer.async_wait(use_awaitable);
  }
}

namespace {

json_object to_object(const std::string& id, const redis::value& hash) {
  json_object out{{"id", id}};
  for (const auto& [field, text] : hash.as_pairs()) {
    const bool is_time =
        field == "sent" || field == "received" || field == "started" || field == "ended";
    if (is_time)
      out[field] = to_iso(from_unix_s(std::strtod(text.c_str(), nullptr)));
    else if (field == "runtime")
      out["runtime_s"] = std::strtod(text.c_str(), nullptr);
    else if (field == "retries")
      out[field] = parse_integer(text).value_or(0);
    else if (field == "terminated" || field == "expired")
      out[field] = text == "true";
    else
      out[field] = text;
  }
  return out;
}

}  // namespace

awaitable<history_page> read_history(broker_view at, history_query query) {
  // One condition chooses the index; the others filter what it returns.
  auto index = at.keys.own("history:", "all");
  if (!query.state.empty()) index = at.keys.own("history:state:", query.state);
  if (!query.worker.empty()) index = at.keys.own("history:worker:", query.worker);
  if (!query.name.empty()) index = at.keys.own("history:name:", query.name);
  const auto fits = [&query](const json_object& task) {
    const auto is = [&task](std::string_view field, const std::string& wanted) {
      const auto* v = task.if_contains(field);
      return wanted.empty() || (v && *v == json(wanted));
    };
    return is("state", query.state) && is("name", query.name) && is("worker", query.worker);
  };
  const auto from = query.since ? fmt::format("{:.6f}", to_unix_s(*query.since)) : "-inf";
  const auto to = query.until ? fmt::format("{:.6f}", to_unix_s(*query.until)) : "+inf";
  history_page out;
  for (std::size_t seen = 0; seen < scan_limit_tasks; seen += scan_tasks) {
    const auto reply = redis::checked(co_await at.redis.command(
        "ZREVRANGEBYSCORE", index, to, from, "LIMIT", query.offset + seen, scan_tasks));
    const auto ids = reply.as_strings();
    if (ids.empty()) co_return out;
    redis::request ask;
    for (const auto& id : ids) ask.push("HGETALL", at.keys.own("history:task:", id));
    const auto hashes = redis::checked(co_await at.redis.exec(std::move(ask)));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto task = to_object(ids[i], hashes[i]);
      // The hash of an old task may be gone.
      if (task.size() == 1 || !fits(task)) continue;
      out.items.push_back(std::move(task));
      if (out.items.size() < query.limit) continue;
      out.next = query.offset + seen + i + 1;
      co_return out;
    }
    if (ids.size() < scan_tasks) co_return out;
  }
  out.next = query.offset + scan_limit_tasks;
  co_return out;
}

awaitable<result<json_object>> read_task(broker_view at, std::string id) {
  redis::request ask;
  ask.push("HGETALL", at.keys.own("history:task:", id));
  ask.push("GET", at.keys.result(id));
  const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
  auto out = to_object(id, replies[0]);
  if (!replies[1].is_nil()) {
    if (auto document = parse_json(replies[1].as_string()); document && document->is_object()) {
      const auto& stored = document->get_object();
      // The stored result is more reliable than events, which may be disabled.
      if (const auto* status = stored.if_contains("status")) out["state"] = *status;
      if (const auto* value = stored.if_contains("result")) out["result"] = *value;
      if (const auto* text = stored.if_contains("traceback"); text && !text->is_null())
        out["traceback"] = *text;
      if (const auto* done = stored.if_contains("date_done")) out["date_done"] = *done;
    }
  }
  if (out.size() == 1) co_return error{errc::not_found, "there is no such task"};
  co_return out;
}

}  // namespace skirmish::tasks
