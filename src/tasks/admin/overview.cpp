#include "tasks/admin/overview.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cmath>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto interval = 1s;
constexpr auto ping_interval = 5s;
constexpr auto ping_patience = 1s;
constexpr int walk_steps = 10;
constexpr int walk_keys = 1'000;  // per step
constexpr std::size_t names_limit = 10'000;
constexpr std::size_t queues_per_look = 50;
constexpr std::string_view searched_messages = "10000";
constexpr std::int64_t held_limit = 1'000;  // more are not told apart by queue
constexpr unsigned turns_between_counts = 5;

// The routing key at the end of a held message, `[envelope, exchange, routing key]`.
std::string queue_of_held(std::string_view text) {
  while (!text.empty() && (text.back() == ']' || text.back() == ' ')) text.remove_suffix(1);
  if (text.size() < 2 || text.back() != '"') return {};
  text.remove_suffix(1);
  const auto quote = text.rfind('"');
  std::string out;
  if (quote == std::string_view::npos || !unescape_json(text.substr(quote + 1), out)) return {};
  return out;
}

json number_or_null(const std::optional<double>& n, double digits) {
  if (!n) return nullptr;
  return std::round(*n * digits) / digits;
}

}  // namespace

std::shared_ptr<const overview> overview_board::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void overview_board::put(std::shared_ptr<const overview> next) {
  const std::lock_guard lock(mutex_);
  latest_ = std::move(next);
}

std::shared_ptr<const changed_tasks> overview_board::latest_tasks() const {
  const std::lock_guard lock(mutex_);
  return latest_tasks_;
}

void overview_board::put_tasks(std::shared_ptr<const changed_tasks> next) {
  const std::lock_guard lock(mutex_);
  latest_tasks_ = std::move(next);
}

void overview_board::ask() {
  const std::lock_guard lock(mutex_);
  const auto asked = asked_.lock();
  if (asked) asio::post(asked->executor(), [asked] { asked->set(); });
}

void overview_board::wake_by(std::weak_ptr<event> asked) {
  const std::lock_guard lock(mutex_);
  asked_ = std::move(asked);
}

overview_keeper::overview_keeper(asio::io_context& io, redis::client& redis,
                                 redis::subscriber& subscriber, key_names keys,
                                 overview_board& board)
    : io_(io), redis_(redis), subscriber_(subscriber), keys_(std::move(keys)), board_(board) {}

void overview_keeper::hear(std::string_view envelope) {
  const auto body = plain_body(envelope);
  if (!body || !body->is_object()) return;
  const auto& event = body->get_object();
  const auto node = text_at(event, "hostname");
  const auto type = text_at(event, "type");
  if (node.empty() || !is_valid_utf8(node)) return;
  if (type == "worker-offline") workers_.hear_farewell(node);
  if (type == "worker-online" || type == "worker-heartbeat") workers_.hear(node, event, wall_now());
}

awaitable<void> overview_keeper::run() {
  redis::listener who;
  who.on_message = [this](std::string_view, std::string_view envelope) { hear(envelope); };
  const auto subscription =
      subscriber_.subscribe_pattern(keys_.event_channel("worker.*"), std::move(who));
  const auto asked = std::make_shared<event>(io_);
  board_.wake_by(asked);
  try {
    co_await redis_.wait_connected(interval);
  } catch (const failure&) {
    // compute() logs it.
  }
  repeat how{.interval = interval,
             .failed = "task_overview_failed",
             .level = log::level::warn,
             .wake = asked.get()};
  const auto round = [this] { return compute(); };
  co_await repeat_every(std::move(how), round);
}

awaitable<void> overview_keeper::run_pings() {
  repeat how{.interval = ping_interval, .failed = "task_pings_failed"};
  return repeat_every(std::move(how), [this] { return ping(); });
}

awaitable<void> overview_keeper::ping() {
  const broker_view at{io_, redis_, keys_};
  const json_object no_arguments;
  const std::vector<std::string> everybody;
  const auto answers = co_await gather(at, "active_queues", no_arguments, everybody, ping_patience);
  for (const auto& [node, answer] : answers)
    if (is_valid_utf8(node)) workers_.see_answer(node, answer, wall_now());
}

awaitable<void> overview_keeper::compute() {
  ++turns_;
  co_await look_at_workers();
  co_await find_queues();
  co_await look_at_queues();
  auto next = std::make_shared<overview>();
  next->at = std::chrono::steady_clock::now();
  const auto computed_at = to_iso(wall_now());
  auto queues = queues_body();
  queues["computed_at"] = computed_at;
  next->queues = to_json_text(queues, json_dialect::strict);
  const json_object workers{
      {"items", workers_.list()}, {"next_cursor", nullptr}, {"computed_at", computed_at}};
  next->workers = to_json_text(workers, json_dialect::strict);
  board_.put(std::move(next));
}

awaitable<void> overview_keeper::look_at_workers() {
  const auto lost_key = keys_.own("lost");
  if (!are_lost_restored_) {
    const auto kept = redis::checked(co_await redis_.command("HGETALL", lost_key));
    for (const auto& [key, text] : kept.as_pairs())
      if (const auto lost = parse_json(text); lost && lost->is_object())
        workers_.restore(lost->get_object());
    are_lost_restored_ = true;
  }
  // Heartbeats are as old as Redis' clock says; this one may differ.
  const auto time = redis::checked(co_await redis_.command("TIME"));
  const auto redis_s = time.size() == 2 ? time[0].as_double().value_or(0) : unix_now_s();
  const broker_view at{io_, redis_, keys_};
  auto listed = co_await tasks::workers(at);
  const auto ahead =
      std::chrono::microseconds(static_cast<std::int64_t>((unix_now_s() - redis_s) * 1e6));
  if (std::chrono::abs(ahead) > 2s) {
    for (auto& item : listed) {
      auto& beat = item.as_object()["last_heartbeat"];
      if (const auto t = parse_iso(beat.as_string())) beat = to_iso(*t + ahead);
    }
  }
  workers_.see_registered(listed, wall_now());
  co_await note_changes(workers_.update(wall_now()));
}

// Another process, or this one when it has started again, still knows who is lost.
awaitable<void> overview_keeper::note_changes(known_workers::changes changed) {
  if (changed.lost.empty() && changed.found.empty()) co_return;
  const auto key = keys_.own("lost");
  redis::request note;
  for (const auto& lost : changed.lost) {
    log::warn("task_worker_lost", {{"node", text_at(lost, "node")}});
    const auto field =
        std::string(text_at(lost, "node")) + "\n" + std::string(text_at(lost, "instance"));
    note.push("HSET", key, field, to_json_text(lost));
  }
  for (const auto& field : changed.found) note.push("HDEL", key, field);
  note.push("EXPIRE", key, std::chrono::seconds(known_workers::lost_shown).count());
  redis::checked(co_await redis_.exec(std::move(note)));
}

awaitable<void> overview_keeper::find_queues() {
  const auto known = redis::checked(co_await redis_.command("SMEMBERS", keys_.own("queues")));
  registered_.clear();
  for (auto& name : known.as_strings()) registered_.insert(std::move(name));
  co_await walk_bindings();
  std::set<std::string> names;
  const auto served = workers_.served_queues();
  names.insert(served.begin(), served.end());
  for (const auto* some : {&registered_, &walked_, &walking_})
    names.insert(some->begin(), some->end());
  std::erase_if(names, [](const auto& name) { return name.empty() || !is_valid_utf8(name); });
  is_truncated_ = names.size() > queues_limit;
  std::erase_if(queues_, [&](const auto& one) { return !names.contains(one.first); });
  for (const auto& name : names) {
    if (queues_.size() >= queues_limit) break;
    queues_[name];
  }
}

awaitable<void> overview_keeper::walk_bindings() {
  const auto prefix = keys_.binding("");
  const auto pattern = prefix + "*";
  for (int step = 0; step < walk_steps; ++step) {
    const auto reply = redis::checked(
        co_await redis_.command("SCAN", walk_cursor_, "MATCH", pattern, "COUNT", walk_keys));
    walk_cursor_ = reply[0].as_string();
    for (const auto& key : reply[1].as_strings()) {
      auto name = key.substr(prefix.size());
      const bool is_queue = name != "celeryev" && !name.ends_with("celery.pidbox");
      if (is_queue && walking_.size() < names_limit) walking_.insert(std::move(name));
    }
    if (walk_cursor_ != "0") continue;
    walked_ = std::exchange(walking_, {});
    co_return;
  }
}

awaitable<void> overview_keeper::look_at_queues() {
  const auto paused = redis::checked(co_await redis_.command("SMEMBERS", keys_.own("paused")));
  paused_.clear();
  for (auto& name : paused.as_strings()) paused_.insert(std::move(name));
  if (turns_ % turns_between_counts == 1) co_await count_held();
  std::vector<std::string> names;
  for (const auto& [name, state] : queues_) names.push_back(name);
  for (std::size_t from = 0; from < names.size(); from += queues_per_look) {
    const auto end = std::min(names.size(), from + queues_per_look);
    const std::vector<std::string> some(names.begin() + static_cast<std::ptrdiff_t>(from),
                                        names.begin() + static_cast<std::ptrdiff_t>(end));
    co_await look_at(some);
  }
}

awaitable<void> overview_keeper::look_at(const std::vector<std::string>& names) {
  std::vector<std::string> lists{keys_.own("fetched")};
  std::vector<std::string_view> args{searched_messages};
  std::vector<queue_state::list*> states;
  for (const auto& name : names) {
    auto& state = queues_.at(name);
    for (std::size_t i = 0; i < priority_steps.size(); ++i) {
      lists.push_back(keys_.queue(name, priority_steps[i]));
      states.push_back(&state.lists[i]);
      args.push_back(state.lists[i].newest);
    }
    state.was_seen = true;
  }
  const std::vector<std::string_view> keys(lists.begin(), lists.end());
  const auto reply = redis::checked(co_await redis_.eval(scripts::queue_look, keys, args));
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < states.size(); ++i) {
    auto& list = *states[i];
    const auto number = [&](std::size_t k) { return reply[4 * i + k].as_integer().value_or(0); };
    // A key of that name is no list, so this is no queue.
    if (number(0) < 0) queues_.at(names[i / priority_steps.size()]).was_seen = false;
    if (number(0) < 0) continue;
    list_flow::look look{now, number(0)};
    if (number(1) >= 0) look.pushed = number(1);
    look.is_wholly_searched = (list.depth == 0 || !list.newest.empty()) && number(0) <= 10'000;
    look.taken = std::max<std::int64_t>(0, number(2) - list.fetched);
    list.flow.add(look);
    list.depth = look.depth;
    list.fetched = number(2);
    const auto& newest = reply[4 * i + 3].as_string();
    if (!newest.empty())
      list.newest = newest;
    else if (look.depth == 0 || look.pushed != 0)
      list.newest.clear();
  }
}

awaitable<void> overview_keeper::count_held() {
  held_.clear();
  const auto count = redis::checked(co_await redis_.command("HLEN", keys_.unacked()));
  are_held_known_ = count.as_integer().value_or(0) <= held_limit;
  if (!are_held_known_) co_return;
  const auto all = redis::checked(co_await redis_.command("HVALS", keys_.unacked()));
  for (const auto& text : all.elements()) ++held_[queue_of_held(text.as_string())];
}

json_object overview_keeper::item_of(const std::string& name, const queue_state& state) const {
  const auto now = std::chrono::steady_clock::now();
  std::int64_t depth = 0;
  std::optional<double> oldest, in, out;
  json_object by_priority;
  for (std::size_t i = 0; i < priority_steps.size(); ++i) {
    const auto& list = state.lists[i];
    depth += list.depth;
    by_priority[std::to_string(priority_steps[i])] = list.depth;
    if (const auto age = list.flow.oldest_age_s(now)) oldest = std::max(oldest.value_or(0), *age);
    if (const auto rate = list.flow.in_per_s()) in = in.value_or(0) + *rate;
    if (const auto rate = list.flow.out_per_s()) out = out.value_or(0) + *rate;
  }
  std::optional<double> drain;
  if (depth == 0)
    drain = 0;
  else if (in && out && *out > *in)
    drain = static_cast<double>(depth) / (*out - *in);
  const auto held = held_.find(name);
  json held_count;
  if (are_held_known_) held_count = held == held_.end() ? 0 : held->second;
  return {{"name", name},
          {"depth", depth},
          {"by_priority", std::move(by_priority)},
          {"unacked", std::move(held_count)},
          {"oldest_age_s", number_or_null(oldest, 10)},
          {"in_per_s", number_or_null(in, 100)},
          {"out_per_s", number_or_null(out, 100)},
          {"drain_s", number_or_null(drain, 10)},
          {"paused", paused_.contains(name)}};
}

json_object overview_keeper::queues_body() const {
  const auto consumers = workers_.consumers();
  json_array items;
  for (const auto& [name, state] : queues_) {
    if (!state.was_seen) continue;
    auto item = item_of(name, state);
    const auto serving = consumers.find(name);
    item["consumers"] = serving == consumers.end() ? 0 : serving->second;
    items.push_back(std::move(item));
  }
  return {{"items", std::move(items)}, {"next_cursor", nullptr}, {"is_truncated", is_truncated_}};
}

}  // namespace skirmish::tasks
