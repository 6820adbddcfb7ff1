#include "core/log.hpp"
#include "redis/views.hpp"
#include "tasks/protocol/json_scan.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker/worker.hpp"

#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t scan_count = 500;
constexpr std::size_t put_back_part = 400;  // arguments of one script call, four a message
constexpr std::size_t due_part = 200;
constexpr std::size_t far_part = 300;

struct held_message {
  std::string envelope;
  std::string queue;
};

// What stands in `unacked`: [envelope, exchange, routing key].
std::optional<held_message> read_held(std::string_view payload) {
  std::vector<std::string_view> tokens;
  if (!json_scanner(payload).array([&](std::string_view token) { tokens.push_back(token); }) ||
      tokens.size() < 3)
    return std::nullopt;
  held_message out{std::string(tokens[0]), {}};
  if (tokens[2].size() < 2 || !unescape_json(tokens[2].substr(1, tokens[2].size() - 2), out.queue))
    return std::nullopt;
  return out;
}

awaitable<void> pause(asio::io_context& io, std::chrono::milliseconds how_long) {
  asio::steady_timer timer(io, how_long);
  co_await timer.async_wait(use_awaitable);
}

}  // namespace

// ---- heartbeat, leases, dead workers ----

awaitable<void> worker::heartbeat_loop() {
  while (true) {
    co_await pause(io_, config_.heartbeat_interval);
    try {
      co_await beat_once();
      if (config_.autoscale_max > 0) autoscale();
      if (metrics_) co_await note_waiting();
    } catch (const failure& e) {
      log::warn("task_heartbeat_failed", {{"error", e.what()}});
    }
  }
}

awaitable<void> worker::beat_once() {
  // What was taken long ago is refreshed, so that no sweep (Python's neither) takes it for
  // abandoned.
  std::vector<std::string_view> refresh;
  const double old = unix_now_s() - std::chrono::duration<double>(config_.lease_refresh).count();
  const auto consider = [&](job& j) {
    if (j.acknowledged || j.leased_s > old) return;
    j.leased_s = unix_now_s();
    refresh.push_back(j.m.tag);
  };
  for (const auto& j : ready_) consider(*j);
  for (const auto& [at, j] : waiting_) consider(*j);
  for (const auto& j : far_) consider(*j);
  for (const auto& j : strangers_) consider(*j);
  for (const auto& [at, j] : returning_) consider(*j);
  for (const auto& [tag, j] : running_) consider(*j);
  const auto workers = app_.keys.own("workers"), index = app_.keys.unacked_index();
  const auto self = app_.keys.own("worker:", instance_),
             running = app_.keys.own("running:", instance_);
  const auto dead_after =
      fmt::format("{:.3f}", std::chrono::duration<double>(config_.dead_after).count());
  const std::vector<std::string_view> keys{workers, index, self, running};
  std::vector<std::string_view> args{instance_, dead_after, "5"};
  args.insert(args.end(), refresh.begin(), refresh.end());
  const auto dead = redis::checked(co_await side_.eval(scripts::heartbeat, keys, args));
  co_await tell_returned();
  if (config_.gossip_heartbeat) send_event("worker-heartbeat", worker_fields());
  for (const auto& instance : dead.as_strings()) {
    if (instance == instance_) continue;
    auto work = [this, instance] { return recover(instance); };
    group_.spawn("task_recover", work);
  }
}

awaitable<void> worker::note_waiting() {
  metrics_->holds(running_.size(), ready_.size() + waiting_.size());
  const auto queues = config_.queues;
  if (queues.empty()) co_return;
  redis::request ask;
  for (const auto& [name, weight] : queues)
    for (const int step : priority_steps) ask.push("LLEN", app_.keys.queue(name, step));
  const auto lengths = redis::checked(co_await side_.exec(std::move(ask)));
  for (std::size_t i = 0; i < queues.size(); ++i) {
    std::int64_t waiting = 0;
    for (std::size_t k = 0; k < priority_steps.size(); ++k)
      waiting += lengths.at(i * priority_steps.size() + k).as_integer().value_or(0);
    metrics_->waiting(queues[i].first, waiting);
  }
}

// Everything that a dead worker held goes back to its queues; what it had started and acknowledged
// is reported as lost. Until that is written it stays in the list of workers, so that whoever comes
// next finishes what this one leaves undone.
awaitable<void> worker::recover(std::string instance) {
  log::warn("task_worker_dead", {{"instance", instance}});
  const auto running = app_.keys.own("running:", instance);
  auto records = redis::checked(co_await side_.command("HGETALL", running)).as_pairs();
  std::set<std::string> started;
  for (const auto& [tag, record] : records) started.insert(tag);
  const auto pattern = "skirmish:" + instance + ":*";
  std::string cursor = "0";
  held_messages held;
  do {
    const auto reply = redis::checked(co_await side_.command(
        "HSCAN", app_.keys.unacked(), cursor, "MATCH", pattern, "COUNT", scan_count));
    cursor = reply[0].as_string();
    for (auto& one : reply[1].as_pairs()) held.push_back(std::move(one));
  } while (cursor != "0");
  // Each goes to the serving end: the latest first, so that the earliest is served first. The tags
  // differ in their number alone.
  std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) {
    return a.first.size() != b.first.size() ? a.first.size() > b.first.size() : a.first > b.first;
  });
  co_await restore_held(std::move(held), started);
  co_await report_lost(std::move(records));
  forget_.push_back(running);
  if (!woken_.exchange(true)) wake();
  for (int i = 0; i < 40; ++i) {
    const auto left = redis::checked(co_await side_.command("EXISTS", running));
    if (!left.as_bool()) {
      redis::request gone;
      gone.push("DEL", app_.keys.own("worker:", instance));
      gone.push("ZREM", app_.keys.own("workers"), instance);
      redis::checked(co_await side_.exec(std::move(gone)));
      co_return;
    }
    co_await pause(io_, 100ms);
  }
}

// Records of tasks that were acknowledged when they started and will not run again.
awaitable<void> worker::report_lost(std::vector<std::pair<std::string, std::string>> records) {
  auto& results = results_ ? *results_ : side_;
  for (const auto& [tag, text] : records) {
    const auto record = parse_json(text);
    const auto* fields = record ? record->if_object() : nullptr;
    const auto* id = fields ? fields->if_contains("id") : nullptr;
    if (id == nullptr || !id->is_string()) continue;  // acknowledged late: it runs again
    const auto key = app_.keys.result(std::string_view(id->get_string()));
    const auto stored = redis::checked(co_await results.command("GET", key));
    // The task may have ended just before.
    if (!is_final_document(stored.as_string())) report_lost(*fields);
  }
}

// Lets the task fail as if it had ended here: its result, errbacks, chain and chord go with the
// next turn.
void worker::report_lost(const json_object& record) {
  auto why = make_failure("WorkerLostError", "the worker died while it ran this task",
                          "billiard.exceptions");
  if (const auto* raw = record.if_contains("message"); raw && raw->is_string()) {
    auto j = std::make_shared<job>(*this, std::string(raw->get_string()));
    if (parse_envelope(j->m)) {
      j->m.queue = j->m.routing_key;
      j->acknowledged = true;
      if (const auto known = task_states_.find(j->m.task); known != task_states_.end())
        j->task = known->second.get();
      settle_failed(*j, std::move(why), outcome::failure);
      dropped_.push_back(std::move(j));
      return;
    }
  }
  const std::string id(record.at("id").as_string());
  std::string document, why_json;
  append_json(why_json, why.to_json());
  append_result_document(document, {.id = id, .status = "FAILURE", .result_json = why_json});
  events_.failed(id, why.repr(), {});
  const std::lock_guard lock(states_mutex_);
  states_.emplace_back(app_.keys.result(id), std::move(document));
}

awaitable<void> worker::restore_held(held_messages held, const std::set<std::string>& started) {
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
      args.insert(args.end(), {tag, "dead", app_.keys.own("dead"), std::move(entry)});
      continue;
    }
    envelope_edit edit;
    edit.mark_redelivered = true;
    // What had not started did its worker no harm.
    if (started.contains(tag)) edit.restored = m.restored + 1;
    auto again = edit_envelope(m.raw, edit);
    args.insert(args.end(), {tag, "serve", app_.keys.queue(found->queue, priority_step(m.priority)),
                             again ? *again : found->envelope});
    totals_.recovered.fetch_add(1, std::memory_order_relaxed);
    if (metrics_) metrics_->recovered();
  }
  const auto unacked = app_.keys.unacked(), index = app_.keys.unacked_index();
  const std::vector<std::string_view> keys{unacked, index};
  for (std::size_t from = 0; from < args.size(); from += put_back_part) {
    const auto to = std::min(from + put_back_part, args.size());
    const std::vector<std::string_view> part(args.begin() + static_cast<std::ptrdiff_t>(from),
                                             args.begin() + static_cast<std::ptrdiff_t>(to));
    redis::checked(co_await side_.eval(scripts::put_back, keys, part));
  }
}

// ---- far etas ----

awaitable<void> worker::flush_far() {
  auto all = std::exchange(far_, {});
  const auto unacked = app_.keys.unacked(), index = app_.keys.unacked_index(),
             eta = app_.keys.own("eta");
  const std::vector<std::string_view> keys{unacked, index, eta};
  for (std::size_t from = 0; from < all.size(); from += far_part) {
    std::vector<std::string> words;
    for (std::size_t i = from; i < std::min(from + far_part, all.size()); ++i) {
      const auto& m = all[i]->m;
      words.insert(words.end(),
                   {m.tag, fmt::format("{:.6f}", to_unix_s(*m.eta)),
                    app_.keys.queue(m.queue, priority_step(m.priority)) + "\n" + m.raw});
    }
    const auto args = redis::views(words);
    bool moved = true;
    try {
      redis::checked(co_await side_.eval(scripts::schedule, keys, args));
    } catch (const failure& e) {
      // Still held (or moved, if only the reply was lost): moving again does no harm.
      log::warn("task_schedule_failed", {{"error", e.what()}});
      far_.insert(far_.end(), all.begin() + static_cast<std::ptrdiff_t>(from), all.end());
      moved = false;
    }
    if (!moved) {
      co_await pause(io_, 200ms);
      co_return;
    }
  }
  eta_wake_.cancel();
}

awaitable<void> worker::eta_loop() {
  const auto ahead =
      fmt::format("{:.3f}", std::chrono::duration<double>(config_.near_eta).count() / 2);
  const auto part = std::to_string(due_part);
  while (!ended_) {
    auto next = 1000ms;
    try {
      const auto eta = app_.keys.own("eta");
      const std::vector<std::string_view> keys{eta};
      const std::vector<std::string_view> args{part, ahead};
      const auto reply = redis::checked(co_await side_.eval(scripts::due, keys, args));
      if (reply[0].as_integer().value_or(0) >= static_cast<std::int64_t>(due_part)) {
        next = 0ms;
      } else if (const auto at = reply[1].as_double(); at) {
        const double left_s =
            *at - unix_now_s() - std::chrono::duration<double>(config_.near_eta).count() / 2;
        next = std::clamp(milliseconds(static_cast<std::int64_t>(left_s * 1000)), 1ms, 1000ms);
      }
    } catch (const failure&) {
      // The connection's own log says what is wrong.
    }
    eta_wake_.expires_after(next);
    error_code ignored;
    co_await eta_wake_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

// ---- the janitor ----

awaitable<void> worker::janitor_loop() {
  while (true) {
    co_await pause(io_, config_.janitor_interval);
    try {
      co_await sweep_stale();
      co_await sweep_chords();
      co_await sweep_bindings();
      co_await load_revoked();
      redis::request trim;
      trim.push("LTRIM", app_.keys.own("dead"), 0, 9999);
      co_await side_.exec(std::move(trim));
    } catch (const failure& e) {
      log::warn("task_janitor_failed", {{"error", e.what()}});
    }
  }
}

// Messages that nobody refreshed for the visibility timeout: of Python workers that died.
awaitable<void> worker::sweep_stale() {
  const auto limit =
      unix_now_s() - std::chrono::duration<double>(app_.options.visibility_timeout).count();
  const auto stale =
      redis::checked(co_await side_.command("ZRANGEBYSCORE", app_.keys.unacked_index(), "-inf",
                                            fmt::format("{:.6f}", limit), "LIMIT", 0, 200));
  const auto tags = stale.as_strings();
  if (tags.empty()) co_return;
  redis::request ask;
  ask.push_range("HMGET", app_.keys.unacked(), tags);
  const auto payloads = redis::checked((co_await side_.exec(std::move(ask))).at(0));
  std::vector<std::pair<std::string, std::string>> held;
  std::vector<std::string> orphans;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (payloads[i].is_nil())
      orphans.push_back(tags[i]);
    else
      held.emplace_back(tags[i], payloads[i].as_string());
  }
  if (!orphans.empty()) {
    redis::request remove;
    remove.push_range("ZREM", app_.keys.unacked_index(), orphans);
    redis::checked(co_await side_.exec(std::move(remove)));
  }
  // Python does not say what had started.
  const std::set<std::string> unknown;
  if (!held.empty()) co_await restore_held(std::move(held), unknown);
}

// Clients that are killed leave their bindings behind for ever. A reply queue that nobody has taken
// from, or that has had no list, for minutes is nobody's; a client that lives binds again before it
// asks. Bindings of monitors are not read by anything (events are fanout), so too many are dropped.
awaitable<void> worker::sweep_bindings() {
  const auto replies_key = app_.keys.binding("reply.celery.pidbox");
  const auto members = redis::checked(co_await side_.command("SRANDMEMBER", replies_key, 50));
  const auto now = steady::now();
  for (const auto& member : members.as_strings()) {
    const auto cut = member.rfind(separator);
    if (cut == std::string::npos) continue;
    const auto list = app_.keys.prefix + member.substr(cut + separator.size());
    const auto idle = co_await side_.command("OBJECT", "IDLETIME", list);
    auto silent = std::chrono::seconds{idle.as_integer().value_or(0)};
    if (idle.as_integer()) {
      bindings_without_list_.erase(member);
    } else {
      const auto since = bindings_without_list_.emplace(member, now).first->second;
      silent = std::chrono::duration_cast<std::chrono::seconds>(now - since);
    }
    if (silent < config_.reply_idle_limit) continue;
    bindings_without_list_.erase(member);
    redis::request remove;
    remove.push("SREM", replies_key, member);
    remove.push("DEL", list);
    co_await side_.exec(std::move(remove));
  }
  // Those whose client has removed them itself are forgotten some time.
  if (bindings_without_list_.size() > 10'000) bindings_without_list_.clear();
  const auto monitors_key = app_.keys.binding("celeryev");
  const auto monitors = co_await side_.command("SCARD", monitors_key);
  if (monitors.as_integer().value_or(0) > 100) co_await side_.command("UNLINK", monitors_key);
}

// ---- revoked ids, kept in Redis so that a restart knows them ----

awaitable<void> worker::load_revoked() {
  const auto key = app_.keys.own("revoked");
  redis::request both;
  const auto fresh = std::exchange(fresh_revokes_, {});
  if (!fresh.empty()) {
    std::vector<std::string> words;
    const auto until =
        fmt::format("{:.0f}", unix_now_s() + std::chrono::duration<double>(revoke_memory).count());
    for (const auto& id : fresh) words.insert(words.end(), {until, id});
    both.push_range("ZADD", key, words);
  }
  both.push("ZREMRANGEBYSCORE", key, "-inf", fmt::format("{:.0f}", unix_now_s()));
  both.push("ZREMRANGEBYRANK", key, 0, -static_cast<std::int64_t>(revoke_memory_limit) - 1);
  both.push("ZRANGE", key, 0, -1);
  const auto replies = redis::checked(co_await side_.exec(std::move(both)));
  auto added_meanwhile = std::exchange(fresh_revokes_, {});
  for (const auto& id : replies.back().as_strings()) remember_revoked(id);
  // What came from Redis need not go there again.
  fresh_revokes_ = std::move(added_meanwhile);
}

void worker::autoscale() {
  const auto busy = running_.size() + ready_.size();
  auto wanted = config_.concurrency;
  if (busy > wanted)
    wanted = std::min(config_.autoscale_max, busy);
  else if (busy < wanted)
    wanted = std::max({config_.autoscale_min, busy, wanted - 1});
  if (wanted == config_.concurrency) return;
  config_.concurrency = wanted;
  pool_->resize(wanted);
}

}  // namespace skirmish::tasks
