#include "builtin_tasks/builtin_tasks.hpp"

#include "builtin_tasks/builtin_service.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "interactions/interactions.hpp"
#include "skirmish/tasks/coroutine.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::builtin_tasks {
namespace {

using namespace std::chrono_literals;
using chat::message_id;
using tasks::json;
using tasks::json_array;
using tasks::json_object;
using tasks::task_context;
using tasks::task_error;

constexpr std::int64_t export_limit_events = 10'000;
constexpr std::int64_t export_step_entries = 10;  // an entry may hold a commit of 10,000 events
constexpr std::size_t export_limit_bytes = 4 << 20;

// The outcome, or the exception that Python knows.
template <class T>
T value_or_raise(result<T> outcome) {
  if (outcome) return std::move(*outcome);
  const auto& e = outcome.error();
  throw task_error(e.code == errc::not_found ? "LookupError" : "ValueError", e.message);
}

std::string id_of(const json& given, const char* what) {
  const auto v = tasks::plain_value(given);  // a UUID of Python's
  auto text = v.is_string()   ? std::string(v.get_string())
              : v.is_int64()  ? std::to_string(v.get_int64())
              : v.is_uint64() ? std::to_string(v.get_uint64())
                              : std::string();
  if (!is_valid_id(text)) throw task_error("ValueError", fmt::format("{} is no id", what));
  return text;
}

// A time (ISO 8601, Python's datetime or date, or Unix seconds) or an entry's id as XRANGE takes
// it; `open` when it is null.
std::string place_of(const json& v, const char* what, const char* open) {
  constexpr double latest_s = 253'402'300'799;  // the end of the year 9999
  if (v.is_null()) return open;
  if (const auto s = tasks::as_number(v); s && *s >= 0 && *s <= latest_s)
    return std::to_string(static_cast<std::int64_t>(*s * 1000));
  if (const auto t = tasks::as_time(v)) {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(t->time_since_epoch()).count();
    return std::to_string(std::max<std::int64_t>(0, ms));
  }
  if (v.is_string()) {
    std::string text(v.get_string());
    if (text.find('-') != std::string::npos && parse_stream_id(text)) return text;
  }
  throw task_error("ValueError", fmt::format("{} is neither a time nor an entry's id", what));
}

// Appends the events of one commit.
void take_events(std::string_view lines, json_array& into) {
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    auto event = interactions::parse_line(lines.substr(0, end));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (event) into.push_back(std::move(*event));
  }
}

tasks::task_options options_for(std::vector<tasks::parameter> parameters) {
  tasks::task_options o;
  o.parameters = std::move(parameters);
  o.queue = tasks::builtin::queue;
  o.acks_late = true;
  // A backend that is down: SQL or Redis.
  o.autoretry_for = {"ConnectionError", "TimeoutError"};
  o.max_retries = 10;
  o.retry_backoff_s = 1;
  o.retry_backoff_max = 60s;
  return o;
}

}  // namespace

game::game(asio::io_context& io, const surroundings& of)
    : slow_(of.concurrency),
      redis_(io, of.redis, "skirmish-builtin-tasks"),
      keys_(of.keys),
      clock_(of.time),
      webhook_(of.webhook),
      group_(io),
      sql_(of.db),
      caches_(io, redis_, group_, {.space = of.keys, .time = &of.time}),
      players_(of.db, sql_, redis_, caches_, of.keys, of.time),
      boards_(redis_, of.keys, of.time),
      jobs_(of.db, of.time),
      notifications_(redis_, of.keys, of.time, of.notifications) {}

void game::start() {
  group_.spawn("builtin_tasks_redis", [this] { return redis_.run(); });
}

awaitable<void> game::stop() {
  redis_.stop();
  group_.close();
  co_await group_.wait(5s);
}

void game::add_to(tasks::app& to) {
  tasks::add_diagnostic_tasks(to, slow_);
  to.task(
      tasks::builtin::send_notification,
      [this](task_context& self, json player_id, std::string text) {
        return send_notification(std::string(self.id()), std::move(player_id), std::move(text));
      },
      options_for({"player_id", "text"}));
  to.task(
      tasks::builtin::process_assignment,
      [this](json job_id, json worker_id) {
        return process_assignment(id_of(job_id, "job_id"), id_of(worker_id, "worker_id"));
      },
      options_for({"job_id", "worker_id"}));
  to.task(
      tasks::builtin::rebuild_leaderboard,
      [this](task_context& self, std::string board) {
        return rebuild_leaderboard(self, std::move(board));
      },
      options_for({"board"}));
  to.task(
      tasks::builtin::export_interactions,
      [this](task_context& self, json since, json until, std::int64_t limit) {
        return export_interactions(self, std::move(since), std::move(until), limit);
      },
      options_for({tasks::parameter{"since", json()}, tasks::parameter{"until", json()},
                   tasks::parameter{"limit", json(1000)}}));
  auto webhook_options = options_for({"event"});
  // A receiver may be away for longer than our own backends: about two hours of attempts.
  webhook_options.max_retries = 20;
  webhook_options.retry_backoff_max = 600s;
  to.task(
      tasks::builtin::status_webhook,
      [this](task_context& self, json event) {
        return status_webhook(std::string(self.id()), std::move(event));
      },
      std::move(webhook_options));
}

awaitable<json> game::send_notification(std::string task_id, json player_id, std::string text) {
  const auto id = id_of(player_id, "player_id");
  auto known = co_await players_.get(id);
  value_or_raise(std::move(known));
  // A retry and a repetition after a crash bear the same task id: it arrives once.
  auto sent = co_await notifications_.send(id, std::move(text), std::move(task_id));
  json_object out{{"player_id", id}, {"notification_id", value_or_raise(std::move(sent))}};
  co_return json(std::move(out));
}

awaitable<json> game::process_assignment(std::string job_id, std::string worker_id) {
  auto assigned = co_await jobs_.assign(job_id, worker_id);
  const auto j = value_or_raise(std::move(assigned));
  json_object out{{"job_id", job_id}, {"worker_id", worker_id}, {"status", j.state}};
  co_return json(std::move(out));
}

awaitable<json> game::rebuild_leaderboard(const task_context& self, std::string board) {
  if (!is_valid_id(board)) throw task_error("ValueError", "board is no id");
  const task_share::place mine(slow_, self);
  co_await boards_.reindex(board);
  co_await boards_.catch_up(board);
  const auto page = co_await boards_.page(board, 1, 1);
  json_object out{{"board", board}, {"players", page.total}, {"version", page.version}};
  co_return json(std::move(out));
}

awaitable<json> game::export_interactions(const task_context& self, json since, json until,
                                          std::int64_t limit) {
  auto from = place_of(since, "since", "-");
  const auto to = place_of(until, "until", "+");
  if (limit < 1 || limit > export_limit_events)
    throw task_error("ValueError", fmt::format("limit must be 1 to {}", export_limit_events));
  const task_share::place mine(slow_, self);
  const auto log = interactions::log_key(keys_);
  json_array events;
  std::size_t bytes = 0;
  json next;
  while (true) {
    const auto reply = redis::checked(
        co_await redis_.command("XRANGE", log, from, to, "COUNT", export_step_entries));
    const auto& entries = reply.elements();
    std::size_t taken = 0;
    for (; taken < entries.size(); ++taken) {
      const bool full =
          static_cast<std::int64_t>(events.size()) >= limit || bytes >= export_limit_bytes;
      if (full) break;
      const auto* lines = entries[taken][1].find("events");
      if (!lines) continue;
      bytes += lines->as_string().size();
      take_events(lines->as_string(), events);
    }
    if (taken < entries.size()) {
      next = json(entries[taken][0].as_string());
      break;
    }
    if (static_cast<std::int64_t>(entries.size()) < export_step_entries) break;
    from = "(" + entries.back()[0].as_string();
  }
  const auto count = events.size();
  json_object out{{"events", std::move(events)}, {"count", count}, {"next_since", next}};
  co_return json(std::move(out));
}

awaitable<json> game::status_webhook(std::string task_id, json event) {
  if (!event.is_object()) throw task_error("ValueError", "event is no object");
  if (webhook_.url.empty())
    throw task_error("ConnectionError", "status.webhook_url is not set for this worker");
  try {
    co_await status::call_webhook(webhook_, std::move(task_id), json_text_of(event), clock_.now());
  } catch (const failure& e) {
    throw task_error("ConnectionError", e.what());
  }
  co_return json(true);
}

tasks::app_options options_of(const redis::key_space& keys) {
  tasks::app_options o;
  o.global_key_prefix = keys.prefix();
  o.result_key_prefix = keys.prefix();
  o.routes = tasks::builtin::routes();
  return o;
}

}  // namespace skirmish::builtin_tasks
