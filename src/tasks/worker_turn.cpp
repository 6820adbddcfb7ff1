#include "core/log.hpp"
#include "tasks/json_scan.hpp"
#include "tasks/sandbox.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker.hpp"

#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t fetch_limit_messages = 1000;
constexpr std::size_t turn_limit_jobs = 1000;
constexpr std::size_t turn_limit_bytes = 8 << 20;

double now_s() { return to_unix_s(wall_now()); }

failure_info revoked_because(const char* why) {
  return make_failure("TaskRevokedError", why, std::string(exceptions_module));
}

// What recovery needs to tell the world that a task died with its worker.
std::string running_record(const job& j) {
  if (!j.stores_result()) return {};
  std::string out = "{\"id\":";
  append_json_string(out, j.m.id);
  out += ",\"task\":";
  append_json_string(out, j.m.task);
  return out + "}";
}

}  // namespace

bool worker::turn_request::empty() const {
  return early.empty() && late.empty() && done.empty() && acks.empty() && pushes.empty() &&
         forget.empty() && results.empty() && events.empty() && chord_parts.empty() &&
         put_back.empty();
}

awaitable<void> worker::turn_loop() {
  auto patience_ends = steady::time_point::max();
  while (true) {
    if (stopping_) {
      if (patience_ends == steady::time_point::max())
        patience_ends = steady::now() + config_.shutdown_patience;
      if (!cold_ && steady::now() >= patience_ends) stop(true);
      const bool all_written =
          running_.empty() && done_.empty() && dropped_.empty() && dead_.empty() && events_.empty();
      if (cold_ || all_written) break;
    }
    co_await take_turn();
    if (!far_.empty()) co_await flush_far();
  }
  // What ended in the last moment is still written.
  if (cold_) co_await take_turn();
}

std::size_t worker::fetch_wish() const {
  if (stopping_ || !more_may_wait_ || config_.queues.empty()) return 0;
  const auto limit = prefetch_limit();
  const auto held = ready_.size() + waiting_count_;
  const auto want = limit > held ? std::min(limit - held, fetch_limit_messages) : 0;
  // Many small fetches cost more than a few larger ones.
  if (!ready_.empty() && want * 2 < limit) return 0;
  return want;
}

awaitable<void> worker::take_turn() {
  release_due();
  enforce_limits();
  co_await grant_shared_rates();
  turn_request t;
  gather_done(t);
  gather_states(t);
  if (!stopping_) choose_starts(t);
  t.events = events_.take_envelopes();
  const auto want = fetch_wish();
  if (t.empty() && want == 0) {
    if (pool_->spread()) {
      // Threads that block leave jobs waiting: look again soon.
      wake_.expires_after(1ms);
      error_code ignored;
      if (!woken_.exchange(false))
        co_await wake_.async_wait(asio::redirect_error(use_awaitable, ignored));
    } else {
      co_await rest();
    }
    co_return;
  }
  totals_.turns.fetch_add(1, std::memory_order_relaxed);
  if (results_) co_await send_results_apart(t);
  const auto replies = co_await send_surely(t, want);
  const auto parts = results_ ? 0 : t.chord_parts.size();
  if (!results_) after_chord_parts(t.chord_parts, replies, 0);
  const auto& lost = replies.at(parts);
  std::vector<bool> is_lost(t.early.size() + t.late.size());
  for (const auto& position : lost.elements())
    if (const auto p = position.as_integer();
        p && *p >= 0 && static_cast<std::size_t>(*p) < is_lost.size())
      is_lost[static_cast<std::size_t>(*p)] = true;
  std::vector<job_ptr> starting;
  const auto consider = [&](const job_ptr& j, std::size_t position) {
    if (is_lost[position]) {
      log::warn("task_lost_to_others", {{"id", j->m.id}, {"task", j->m.task}});
      running_.erase(j->m.tag);
    } else {
      j->acknowledged = !j->acks_late;
      starting.push_back(j);
    }
  };
  for (std::size_t i = 0; i < t.early.size(); ++i) consider(t.early[i], i);
  for (std::size_t i = 0; i < t.late.size(); ++i) consider(t.late[i], t.early.size() + i);
  start(starting);
  if (want > 0 && accept_fetched(replies.back()) >= want) more_may_wait_ = true;
}

// ---- what goes into a turn ----

void worker::gather_states(turn_request& t) {
  const std::lock_guard lock(states_mutex_);
  for (auto& state : states_) t.results.push_back(std::move(state));
  states_.clear();
}

void worker::gather_done(turn_request& t) {
  std::vector<job_ptr> from_pool;
  pool_->take_done(from_pool);
  done_.insert(done_.end(), from_pool.begin(), from_pool.end());
  std::size_t taken = 0;
  for (; taken < done_.size() && t.bytes < turn_limit_bytes && taken < turn_limit_jobs; ++taken)
    finish(done_[taken], t);
  done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(taken));
  for (const auto& j : dropped_) finish(j, t);
  dropped_.clear();
  for (const auto& [j, reason] : dead_) {
    t.put_back.insert(t.put_back.end(),
                      {j->m.tag, "dead", app_.keys.own("dead"), dead_letter_entry(*j, reason)});
    if (!j->document.empty())
      t.results.emplace_back(app_.keys.result(j->m.id), std::move(j->document));
  }
  dead_.clear();
  for (const auto& j : requeued_)
    t.put_back.insert(
        t.put_back.end(),
        {j->m.tag, "last", app_.keys.queue(j->m.queue, priority_step(j->m.priority)), j->m.raw});
  requeued_.clear();
}

void worker::finish(const job_ptr& j, turn_request& t) {
  running_.erase(j->m.tag);
  if (j->task) ++j->task->total;
  ++processed_;
  const auto& id = j->m.id;
  switch (j->ended) {
    case outcome::success:
      totals_.succeeded.fetch_add(1, std::memory_order_relaxed);
      events_.succeeded(j->m, j->result_repr, j->runtime_s);
      break;
    case outcome::failure:
      totals_.failed.fetch_add(1, std::memory_order_relaxed);
      events_.failed(id, j->problem.repr(), j->problem.traceback);
      log::warn("task_failed", {{"task", j->m.task}, {"id", id}, {"error", j->problem.repr()}});
      if (j->is_last_failure()) {
        totals_.dead_lettered.fetch_add(1, std::memory_order_relaxed);
        t.pushes.push_back({app_.keys.own("dead"),
                            dead_letter_entry(*j, "failed " + std::to_string(j->m.retries + 1) +
                                                      " times: " + j->problem.repr())});
      }
      break;
    case outcome::retry:
      totals_.retried.fetch_add(1, std::memory_order_relaxed);
      events_.retried(id, j->problem.repr(), j->problem.traceback);
      break;
    case outcome::revoked: totals_.revoked.fetch_add(1, std::memory_order_relaxed); break;
    case outcome::rejected:
    case outcome::requeued:
      totals_.rejected.fetch_add(1, std::memory_order_relaxed);
      events_.rejected(id, j->ended == outcome::requeued);
      break;
    case outcome::ignored: break;
  }
  if (j->ended == outcome::requeued) {
    const auto list = app_.keys.queue(j->m.queue, priority_step(j->m.priority));
    if (j->acknowledged)
      t.pushes.push_back({list, j->m.raw});
    else
      t.put_back.insert(t.put_back.end(), {j->m.tag, "last", list, j->m.raw});
  } else if (j->ended == outcome::rejected && !j->acknowledged) {
    t.put_back.insert(t.put_back.end(), {j->m.tag, "dead", app_.keys.own("dead"),
                                         dead_letter_entry(*j, "rejected: " + j->problem.repr())});
  } else if (!j->acknowledged) {
    t.acks.push_back(j->m.tag);
  }
  if (j->acknowledged && j->stores_result()) t.done.push_back(j->m.tag);
  for (auto& [gid, size] : j->follower_chords)
    t.results.emplace_back(app_.keys.group(gid) + ".s", std::to_string(size));
  for (auto& follower : j->followers) t.pushes.push_back(std::move(follower));
  if (!j->document.empty()) {
    t.bytes += j->document.size();
    t.results.emplace_back(app_.keys.result(id), std::move(j->document));
  }
  for (auto& [other, document] : j->more_results)
    t.results.emplace_back(app_.keys.result(other), std::move(document));
  const bool has_ended =
      j->ended == outcome::success || j->ended == outcome::failure || j->ended == outcome::revoked;
  if (j->chord.is_object() && !j->m.group.empty() && has_ended) t.chord_parts.push_back(j);
}

void worker::choose_starts(turn_request& t) {
  const auto now = steady::now();
  while (running_.size() < config_.concurrency && !ready_.empty() &&
         t.early.size() + t.late.size() < turn_limit_jobs) {
    auto j = std::move(ready_.front());
    ready_.pop_front();
    if (!may_start(*j, now)) {
      if (j->settled)
        dropped_.push_back(j);
      else
        hold_back(j, std::chrono::duration<double>(j->task->next_start_s) - now.time_since_epoch());
      continue;
    }
    running_.emplace(j->m.tag, j);
    (j->acks_late ? t.late : t.early).push_back(j);
  }
}

void worker::hold_back(const job_ptr& j, std::chrono::duration<double> how_long) {
  j->rate_waiting = true;
  ++waiting_count_;
  waiting_.push(
      {steady::now() + std::max(1us, std::chrono::ceil<std::chrono::microseconds>(how_long)), j});
}

// False when it was revoked or has expired (then it is settled), or has to wait for its rate limit.
bool worker::may_start(job& j, steady::time_point now) {
  if (is_revoked(j.m.id)) {
    if (settle_failed(j, revoked_because("revoked"), outcome::revoked))
      events_.revoked(j.m.id, false, 0, false);
    return false;
  }
  if (j.m.expires && *j.m.expires < wall_now()) {
    if (settle_failed(j, revoked_because("expired"), outcome::revoked))
      events_.revoked(j.m.id, false, 0, true);
    return false;
  }
  if (j.task->rate_interval_s <= 0) return true;
  const double t = std::chrono::duration<double>(now.time_since_epoch()).count();
  if (t < j.task->next_start_s) return false;
  j.task->next_start_s =
      std::max(j.task->next_start_s, t - j.task->rate_interval_s) + j.task->rate_interval_s;
  return true;
}

awaitable<void> worker::grant_shared_rates() {
  std::map<task_state*, std::size_t> asked;
  for (const auto& j : ready_)
    if (j->task->global_interval_s > 0 && !j->rate_granted) ++asked[j->task];
  for (const auto& [task, count] : asked) {
    const auto key = app_.keys.own("rate:", task->definition->name);
    const auto interval = fmt::format("{:.9f}", task->global_interval_s);
    const auto wanted = std::to_string(std::min(count, config_.concurrency));
    const std::vector<std::string_view> keys{key};
    const std::vector<std::string_view> args{interval, wanted};
    std::int64_t granted = 0;
    std::int64_t wait_ms = 1000;
    try {
      const auto reply = redis::checked(co_await side_.eval(scripts::rate, keys, args));
      granted = reply[0].as_integer().value_or(0);
      wait_ms = reply[1].as_integer().value_or(1000);
    } catch (const failure& e) {
      log::warn("task_rate_unknown", {{"task", task->definition->name}, {"error", e.what()}});
    }
    std::deque<job_ptr> kept;
    for (auto& j : ready_) {
      if (j->task != task || j->rate_granted) {
        kept.push_back(std::move(j));
      } else if (granted > 0) {
        --granted;
        j->rate_granted = true;
        kept.push_back(std::move(j));
      } else {
        hold_back(j, milliseconds(wait_ms));
      }
    }
    ready_ = std::move(kept);
  }
}

// ---- the round trip ----

void worker::push_chord_parts(redis::request& to, const turn_request& t) const {
  const auto ttl =
      std::to_string(std::max<std::int64_t>(1, app_.options.result_expires.count() / 1000));
  for (const auto& j : t.chord_parts) {
    std::string result = j->result_json;
    const char* state = "SUCCESS";
    if (j->ended != outcome::success) {
      result.clear();
      append_json(result, j->problem.to_json());
      state = j->ended == outcome::revoked ? "REVOKED" : "FAILURE";
    }
    std::string part = "[1, ";
    append_json_string(part, j->m.id);
    part.append(", \"").append(state).append("\", ").append(result).append("]");
    std::string how;
    append_json(how, json_object{{"body", j->chord},
                                 {"parent_id", std::string(j->m.id)},
                                 {"root_id", std::string(j->m.root())},
                                 {"at", now_s()}});
    const auto base = app_.keys.group(j->m.group);
    const auto parts = base + ".j", correction = base + ".t", size = base + ".s",
               chords = app_.keys.own("chords");
    const auto score = j->m.group_index ? std::to_string(*j->m.group_index) : std::string("+inf");
    const std::vector<std::string_view> keys{parts, correction, size, chords, base};
    const std::vector<std::string_view> args{score, part, ttl, j->m.group, how};
    redis::push_evalsha(to, scripts::chord_part, keys, args);
  }
}

void worker::push_turn(redis::request& to, const turn_request& t) const {
  std::vector<std::string> numbers;
  numbers.reserve(8 + t.early.size());
  std::vector<std::string_view> args;
  args.reserve(16 + t.early.size() * 2 + t.late.size() + t.done.size() + t.acks.size() +
               t.pushes.size() * 2 + t.results.size() * 3);
  const auto number = [&](std::size_t n) {
    args.push_back(numbers.emplace_back(std::to_string(n)));
  };
  number(last_turn_);
  number(t.early.size());
  for (const auto& j : t.early) {
    args.push_back(j->m.tag);
    args.push_back(numbers.emplace_back(running_record(*j)));
  }
  number(t.late.size());
  for (const auto& j : t.late) args.push_back(j->m.tag);
  number(t.done.size());
  args.insert(args.end(), t.done.begin(), t.done.end());
  number(t.acks.size());
  args.insert(args.end(), t.acks.begin(), t.acks.end());
  number(t.pushes.size());
  for (const auto& [list, envelope] : t.pushes) {
    args.push_back(list);
    args.push_back(envelope);
  }
  number(t.forget.size());
  args.insert(args.end(), t.forget.begin(), t.forget.end());
  const auto ttl = std::to_string(app_.options.result_expires.count() / 1000);
  number(results_ ? 0 : t.results.size());
  if (!results_) {
    for (const auto& [key, value] : t.results) {
      args.push_back(key);
      args.push_back(ttl);
      args.push_back(value);
    }
  }
  const auto unacked = app_.keys.unacked(), index = app_.keys.unacked_index();
  const auto running = app_.keys.own("running:", instance_),
             self = app_.keys.own("worker:", instance_);
  const std::vector<std::string_view> keys{unacked, index, running, self};
  redis::push_evalsha(to, scripts::turn, keys, args);
}

void worker::push_put_back(redis::request& to, const turn_request& t) const {
  if (t.put_back.empty()) return;
  const auto unacked = app_.keys.unacked(), index = app_.keys.unacked_index();
  const std::vector<std::string_view> keys{unacked, index};
  const std::vector<std::string_view> args(t.put_back.begin(), t.put_back.end());
  redis::push_evalsha(to, scripts::put_back, keys, args);
}

redis::request worker::build_turn(const turn_request& t, bool with_results) const {
  redis::request out;
  if (with_results) push_chord_parts(out, t);
  push_turn(out, t);
  push_put_back(out, t);
  for (const auto& envelope : t.events)
    out.push("PUBLISH", app_.keys.event_channel("task.multi"), envelope);
  return out;
}

void worker::push_fetch(redis::request& to, std::size_t want) {
  // A heavier queue comes first more often (Efraimidis and Spirakis' weighted order).
  auto order = config_.queues;
  if (!config_.strict_queues && order.size() > 1) {
    thread_local std::minstd_rand random{std::random_device{}()};
    std::uniform_real_distribution<double> uniform(1e-9, 1.0);
    std::vector<std::pair<double, std::pair<std::string, int>>> drawn;
    for (auto& q : order)
      drawn.emplace_back(-std::pow(uniform(random), 1.0 / std::max(1, q.second)), std::move(q));
    std::sort(drawn.begin(), drawn.end());
    order.clear();
    for (auto& [key, q] : drawn) order.push_back(std::move(q));
  }
  std::vector<std::string> words{app_.keys.unacked(), app_.keys.unacked_index(),
                                 app_.keys.own("paused")};
  fetch_queues_.clear();
  for (const int step : priority_steps)
    for (const auto& [name, weight] : order) {
      words.push_back(app_.keys.queue(name, step));
      fetch_queues_.push_back(name);
    }
  const auto keys_count = words.size();
  const auto share = config_.strict_queues || order.size() == 1
                         ? fetch_limit_messages
                         : std::max<std::size_t>(1, want / order.size());
  words.insert(words.end(), {std::to_string(want), tag_prefix_, std::to_string(last_tag_),
                             std::to_string(order.size()), std::to_string(share)});
  for (const auto& name : fetch_queues_) {
    std::string quoted;
    append_json_string(quoted, name);
    words.push_back(std::move(quoted));
  }
  const std::vector<std::string_view> views(words.begin(), words.end());
  const std::span<const std::string_view> all(views);
  redis::push_evalsha(to, scripts::fetch, all.first(keys_count), all.subspan(keys_count));
}

awaitable<void> worker::load_scripts(redis::client& at) {
  redis::request load;
  for (const auto* code :
       {&scripts::fetch, &scripts::turn, &scripts::put_back, &scripts::chord_part})
    load.push("SCRIPT", "LOAD", code->source());
  redis::checked(co_await at.exec(std::move(load)));
}

// After a lost reply: nothing that was sent on the lost connection may still be to come.
awaitable<void> worker::recover_connection(std::int64_t old_connection) {
  while (true) {
    try {
      co_await data_.wait_connected(10s);
      if (old_connection != 0 && data_.client_id() != old_connection)
        co_await data_.command("CLIENT", "KILL", "ID", old_connection);
      co_return;
    } catch (const failure&) {
      // Still away. A cold shutdown does not wait for it.
      if (cold_) throw;
    }
  }
}

// Executes the turn exactly once, whatever happens to the connection: turn.lua knows the last
// turn's number, and what a fetch took is found by its tags.
awaitable<std::vector<redis::value>> worker::send_surely(const turn_request& t, std::size_t want) {
  ++last_turn_;
  auto whole = build_turn(t, results_ == nullptr);
  const auto writes = whole.get_commands();
  const auto first_tag = last_tag_;
  // Tags are never used twice, whatever becomes of this fetch.
  if (want > 0) {
    more_may_wait_ = false;
    push_fetch(whole, want);
    last_tag_ += want;
  }
  std::vector<redis::value> replies;
  bool fetched = want == 0;
  while (true) {
    const auto connection = data_.client_id();
    bool lost = false;
    try {
      replies = co_await data_.exec(whole);
    } catch (const failure& e) {
      log::warn("task_turn_repeated", {{"error", e.what()}});
      lost = true;
    }
    if (lost) {
      co_await recover_connection(connection);
      if (!fetched) {
        co_await reclaim_in_doubt(first_tag, want);
        fetched = true;
        more_may_wait_ = true;
        whole = build_turn(t, results_ == nullptr);
      }
      continue;
    }
    bool unknown_script = false;
    for (const auto& reply : replies) unknown_script |= redis::is_noscript(reply);
    if (!unknown_script) break;
    co_await load_scripts(data_);
    if (!fetched && !redis::is_noscript(replies.back())) {
      if (accept_fetched(replies.back()) >= want) more_may_wait_ = true;
      fetched = true;
      whole = build_turn(t, results_ == nullptr);
    }
  }
  redis::checked(std::vector<redis::value>(replies.begin(),
                                           replies.begin() + static_cast<std::ptrdiff_t>(writes)));
  if (want > 0 && fetched)
    replies.emplace_back(redis::value::type::array, std::vector<redis::value>());
  co_return replies;
}

// Results (and chords) that stand in another Redis are written before the acknowledgement.
awaitable<void> worker::send_results_apart(const turn_request& t) {
  if (t.results.empty() && t.chord_parts.empty()) co_return;
  const auto ttl = app_.options.result_expires.count() / 1000;
  while (true) {
    bool again = false;
    try {
      co_await results_->wait_connected(10s);
      redis::request writes;
      push_chord_parts(writes, t);
      for (const auto& [key, value] : t.results) {
        if (ttl > 0)
          writes.push("SETEX", key, ttl, value);
        else
          writes.push("SET", key, value);
        writes.push("PUBLISH", key, value);
      }
      const auto replies = co_await results_->exec(std::move(writes));
      bool unknown_script = false;
      for (const auto& reply : replies) unknown_script |= redis::is_noscript(reply);
      if (unknown_script) {
        co_await load_scripts(*results_);
        again = true;
      } else {
        after_chord_parts(t.chord_parts, replies, 0);
      }
    } catch (const failure& e) {
      log::warn("task_results_repeated", {{"error", e.what()}});
      again = !cold_;
    }
    if (!again) co_return;
  }
}

awaitable<void> worker::reclaim_in_doubt(std::uint64_t after, std::size_t count) {
  std::vector<std::string> tags;
  for (std::size_t i = 1; i <= count; ++i) tags.push_back(tag_prefix_ + std::to_string(after + i));
  redis::request ask;
  ask.push_range("HMGET", app_.keys.unacked(), tags);
  const auto reply = redis::checked((co_await data_.exec(std::move(ask))).at(0));
  for (std::size_t i = 0; i < reply.size(); ++i) {
    if (reply[i].is_nil()) continue;
    std::vector<std::string_view> tokens;
    json_scanner(reply[i].as_string()).array([&](std::string_view token) {
      tokens.push_back(token);
    });
    if (tokens.size() < 3 || tokens[2].size() < 2) continue;
    std::string queue;
    unescape_json(tokens[2].substr(1, tokens[2].size() - 2), queue);
    receive(std::string(tokens[0]), tags[i], queue);
  }
}

// ---- what comes back ----

std::size_t worker::accept_fetched(const redis::value& reply) {
  const auto& found = reply.elements();
  std::size_t count = 0;
  for (std::size_t i = 0; i + 2 < found.size(); i += 3) {
    const auto position = static_cast<std::size_t>(found[i].as_integer().value_or(0));
    auto number = static_cast<std::uint64_t>(found[i + 2].as_integer().value_or(0));
    for (const auto& envelope : found[i + 1].elements()) {
      receive(envelope.as_string(), tag_prefix_ + std::to_string(number),
              fetch_queues_.at(position));
      ++number;
      ++count;
    }
  }
  totals_.fetched.fetch_add(count, std::memory_order_relaxed);
  // Fewer than asked for means that the lists were empty, and that tracking will tell when they are
  // not.
  return count;
}

void worker::receive(std::string envelope, std::string tag, std::string queue) {
  auto j = std::make_shared<job>(*this, std::move(envelope));
  j->m.tag = std::move(tag);
  j->m.queue = std::move(queue);
  j->received_s = now_s();
  if (const auto ok = parse_envelope(j->m); !ok) return dead_letter(j, ok.error().message);
  const auto known = task_states_.find(j->m.task);
  if (known == task_states_.end()) {
    j->problem = {"NotRegistered", json_array{json(j->m.task)}, std::string(exceptions_module), {}};
    settle_failed(*j, j->problem, outcome::failure);
    events_.failed(j->m.id, j->problem.repr(), {});
    return dead_letter(j, fmt::format("no task {} is registered here", j->m.task));
  }
  j->task = known->second.get();
  j->acks_late = j->task->definition->options.acks_late;
  if (j->m.restored >= config_.poison_limit) {
    settle_failed(*j,
                  make_failure("WorkerLostError",
                               fmt::format("{} workers died with this task", j->m.restored),
                               "billiard.exceptions"),
                  outcome::failure);
    return dead_letter(j, fmt::format("poison: {} workers died with it", j->m.restored));
  }
  const auto now = wall_now();
  if (j->m.expires && *j->m.expires < now) {
    settle_failed(*j, revoked_because("expired"), outcome::revoked);
    events_.revoked(j->m.id, false, 0, true);
    dropped_.push_back(j);
    return;
  }
  events_.received(j->m);
  if (!j->m.eta || *j->m.eta <= now) return make_ready(j);
  const auto left = *j->m.eta - now;
  if (left <= config_.near_eta)
    waiting_.push({steady::now() + left, j});
  else
    far_.push_back(j);
}

void worker::make_ready(const job_ptr& j) { ready_.push_back(j); }

void worker::release_due() {
  const auto now = steady::now();
  while (!waiting_.empty() && waiting_.top().at <= now) {
    const auto j = waiting_.top().what;
    waiting_.pop();
    if (std::exchange(j->rate_waiting, false)) --waiting_count_;
    ready_.push_back(j);
  }
}

void worker::start(const std::vector<job_ptr>& all) {
  std::vector<job_ptr> for_pool;
  for (const auto& j : all) {
    events_.started(j->m);
    j->started_s = now_s();
    arm_limits(j);
    const auto& options = j->task->definition->options;
    if (options.track_started.value_or(app_.options.track_started) && j->stores_result()) {
      std::string document;
      const auto who = fmt::format(R"({{"pid": {}, "hostname": "{}"}})", ::getpid(), config_.node);
      append_result_document(document, {.id = j->m.id,
                                        .status = "STARTED",
                                        .result_json = who,
                                        .group = j->m.group,
                                        .parent_id = j->m.parent_id,
                                        .done = false});
      const std::lock_guard lock(states_mutex_);
      states_.emplace_back(app_.keys.result(j->m.id), std::move(document));
    }
    if (!j->task->definition->start) {
      for_pool.push_back(j);
      continue;
    }
    auto parsed = parse_body(j->m);
    if (!parsed) {
      settle_failed(*j, make_failure("DecodeError", parsed.error().message, "kombu.exceptions"),
                    outcome::failure);
      done_.push_back(j);
      continue;
    }
    auto body = std::make_shared<message_body>(std::move(*parsed));
    arguments given{std::move(body->args), std::move(body->kwargs)};
    const auto begin = steady::now();
    auto on_done = [this, j, body, begin](const std::exception_ptr& thrown, json value) {
      j->runtime_s = std::chrono::duration<double>(steady::now() - begin).count();
      if (!settle(*j, std::move(*body), thrown, std::move(value))) return;
      done_.push_back(j);
      if (!woken_.exchange(true)) wake();
    };
    j->task->definition->start(&io_, j, std::move(given), std::move(on_done));
  }
  pool_->submit(for_pool);
}

// ---- ends that the worker decides ----

void worker::arm_limits(const job_ptr& j) {
  const auto soft = j->m.soft_limit_s ? j->m.soft_limit_s : j->task->soft_limit_s;
  const auto hard = j->m.hard_limit_s ? j->m.hard_limit_s : j->task->hard_limit_s;
  const auto at = [](double s) {
    return steady::now() + std::chrono::microseconds(static_cast<std::int64_t>(s * 1e6));
  };
  if (soft) limits_.emplace(at(*soft), std::pair{std::weak_ptr<job>(j), false});
  if (hard) limits_.emplace(at(*hard), std::pair{std::weak_ptr<job>(j), true});
}

void worker::enforce_limits() {
  const auto now = steady::now();
  while (!limits_.empty() && limits_.begin()->first <= now) {
    const auto [weak, hard] = limits_.begin()->second;
    limits_.erase(limits_.begin());
    const auto j = weak.lock();
    if (!j || j->settled) continue;
    if (!hard) {
      j->soft_limit_passed = true;
      if (config_.in_sandbox) config_.in_sandbox->kill(*j, SIGUSR1);
      continue;
    }
    const auto limit = j->m.hard_limit_s ? *j->m.hard_limit_s : *j->task->hard_limit_s;
    failure_info why{"TimeLimitExceeded", json_array{json(limit)}, "billiard.exceptions", {}};
    give_up_running(j, std::move(why), outcome::failure, SIGKILL);
  }
}

void worker::give_up_running(const job_ptr& j, failure_info why, outcome how, int signum) {
  j->aborted = true;
  if (!settle_failed(*j, std::move(why), how)) return;
  if (config_.in_sandbox) config_.in_sandbox->kill(*j, signum);
  if (!j->task->definition->start) pool_->abandon_one();
  done_.push_back(j);
  if (!woken_.exchange(true)) wake();
}

std::string worker::dead_letter_entry(const job& j, std::string_view reason) const {
  json_object entry{{"reason", reason},     {"at", to_iso(wall_now())},
                    {"queue", j.m.queue},   {"priority", j.m.priority},
                    {"id", j.m.id},         {"task", j.m.task},
                    {"node", config_.node}, {"message", j.m.raw}};
  std::string out;
  append_json(out, json(std::move(entry)));
  return out;
}

void worker::dead_letter(const job_ptr& j, std::string reason) {
  totals_.dead_lettered.fetch_add(1, std::memory_order_relaxed);
  log::warn("task_dead_letter",
            {{"queue", j->m.queue}, {"id", j->m.id}, {"task", j->m.task}, {"reason", reason}});
  dead_.emplace_back(j, std::move(reason));
}

void worker::after_chord_parts(const std::vector<job_ptr>& members,
                               const std::vector<redis::value>& replies, std::size_t offset) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto& parts = redis::checked(replies.at(offset + i));
    if (parts.size() == 0) continue;
    const auto& j = members[i];
    std::string how;
    append_json(how, json_object{{"body", j->chord},
                                 {"parent_id", std::string(j->m.id)},
                                 {"root_id", std::string(j->m.root())}});
    const auto gid = std::string(j->m.group);
    auto work = [this, gid, how = std::move(how), list = parts.as_strings()] {
      return fire_chord(gid, how, list);
    };
    group_.spawn("task_chord", std::move(work));
  }
}

}  // namespace skirmish::tasks
