// Reading the history: pages by condition, and single tasks.
#include "core/parse.hpp"
#include "tasks/admin/history.hpp"
#include "core/base64.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/scripts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <tuple>

namespace skirmish::tasks {
namespace {

constexpr std::size_t part_tasks = 200;            // read at a time
constexpr std::size_t part_limit_tasks = 100'000;  // of the same time
constexpr std::size_t walk_limit_tasks = 20'000;   // of an index, for one page
constexpr std::size_t count_limit_tasks = 2'000;   // looked at to count them
constexpr std::int64_t intersect_limit = 200'000;  // members of the smaller set
constexpr std::int64_t blocks_per_search = 32;

using deadline = std::chrono::steady_clock::time_point;

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

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

// Whether a task fits the conditions; the one on its state can be left out.
bool fits(const json_object& task, const history_query& q, bool any_state) {
  const auto is = [&task](std::string_view field, const std::string& wanted) {
    return wanted.empty() || text_at(task, field) == wanted;
  };
  if (!is("name", q.name) || !is("worker", q.worker)) return false;
  if (!any_state && !q.states.empty() &&
      std::ranges::find(q.states, text_at(task, "state")) == q.states.end())
    return false;
  if (!q.id.empty() && text_at(task, "id").find(q.id) == std::string_view::npos) return false;
  if (q.arguments.empty()) return true;
  const auto text =
      lower(std::string(text_at(task, "args")) + " " + std::string(text_at(task, "kwargs")));
  return text.find(lower(q.arguments)) != std::string::npos;
}

std::string from_of(const history_query& q) {
  return q.since ? fmt::format("{:.6f}", to_unix_s(*q.since)) : "-inf";
}
std::string to_of(const history_query& q) {
  return q.until ? fmt::format("{:.6f}", to_unix_s(*q.until)) : "+inf";
}

std::string packed(char kind, std::string_view text) {
  std::string out;
  append_base64(out, std::string(1, kind) + std::string(text));
  std::ranges::replace(out, '+', '-');
  std::ranges::replace(out, '/', '_');
  while (out.ends_with('=')) out.pop_back();
  return out;
}

std::optional<std::string> unpacked(char kind, std::string text) {
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  while (text.size() % 4 != 0) text += '=';
  std::string out;
  if (!decode_base64(text, out) || out.empty() || out.front() != kind) return std::nullopt;
  return out.substr(1);
}

// A task's place in the order of an index: the time of its last event, then its id.
struct place {
  double score = 0;
  std::string id;
};
// True when `a` stands behind `b`, where the newest are in front.
bool is_behind(const place& a, const place& b) {
  return std::tie(a.score, a.id) < std::tie(b.score, b.id);
}

// Several indexes read as one, newest first, from a place on.
class index_reader {
 public:
  index_reader(broker_view at, std::vector<std::string> indexes, std::string from, std::string to,
               std::optional<place> behind)
      : at_(at), from_(std::move(from)) {
    for (auto& key : indexes) sources_.push_back({std::move(key), to, behind, {}, false});
  }

  // The next places, at most `count`; none at the end.
  awaitable<std::vector<place>> next(std::size_t count) {
    std::vector<place> out;
    while (out.size() < count) {
      source* first = nullptr;
      for (auto& s : sources_) {
        if (s.waiting.empty() && !s.is_done) co_await fill(s);
        if (s.waiting.empty()) continue;
        if (first == nullptr || is_behind(first->waiting.front(), s.waiting.front())) first = &s;
      }
      if (first == nullptr) break;
      out.push_back(std::move(first->waiting.front()));
      first->waiting.pop_front();
    }
    co_return out;
  }

 private:
  struct source {
    std::string key;
    std::string to;
    std::optional<place> behind;  // the last one read
    std::deque<place> waiting;
    bool is_done = false;
  };

  awaitable<void> fill(source& s) {
    // As many as have the same time may have been read before.
    for (auto count = part_tasks; count <= part_limit_tasks; count *= 4) {
      std::string to = s.to;
      if (s.behind) to = fmt::format("{}", s.behind->score);
      const auto reply = redis::checked(co_await at_.redis.command(
          "ZREVRANGEBYSCORE", s.key, to, from_, "WITHSCORES", "LIMIT", 0, count));
      for (const auto& pair : reply.elements()) {
        place p{pair[1].as_double().value_or(0), pair[0].as_string()};
        if (!s.behind || is_behind(p, *s.behind)) s.waiting.push_back(std::move(p));
      }
      if (!s.waiting.empty()) s.behind = s.waiting.back();
      s.is_done = reply.size() < count;
      if (s.is_done || !s.waiting.empty()) co_return;
    }
    s.is_done = true;
  }

  broker_view at_;
  std::string from_;
  std::vector<source> sources_;
};

awaitable<std::vector<std::int64_t>> sizes_of(broker_view at, std::vector<std::string> indexes,
                                              const history_query& q) {
  redis::request ask;
  for (const auto& key : indexes) ask.push("ZCOUNT", key, from_of(q), to_of(q));
  std::vector<std::int64_t> out;
  if (indexes.empty()) co_return out;
  const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
  for (const auto& n : replies) out.push_back(n.as_integer().value_or(0));
  co_return out;
}

std::vector<std::string> state_indexes(broker_view at, const std::vector<std::string>& states) {
  std::vector<std::string> out;
  for (const auto& state : states) out.push_back(at.keys.own("history:state:", state));
  return out;
}

// The indexes that hold all tasks that fit, as few as possible, and how many they hold.
struct plan {
  std::vector<std::string> indexes;
  std::int64_t size = 0;
};
awaitable<plan> plan_of(broker_view at, const history_query& q, bool any_state) {
  std::vector<std::string> single{at.keys.own("history:", "all")};
  if (!q.name.empty()) single.push_back(at.keys.own("history:name:", q.name));
  if (!q.worker.empty()) single.push_back(at.keys.own("history:worker:", q.worker));
  auto keys = single;
  std::vector<std::string> states;
  if (!any_state) states = state_indexes(at, q.states);
  keys.insert(keys.end(), states.begin(), states.end());
  const auto sizes = co_await sizes_of(at, keys, q);
  plan best{{single[0]}, sizes[0]};
  for (std::size_t i = 1; i < single.size(); ++i)
    if (sizes[i] <= best.size) best = {{single[i]}, sizes[i]};
  std::int64_t in_states = 0;
  for (std::size_t i = single.size(); i < sizes.size(); ++i) in_states += sizes[i];
  if (!states.empty() && in_states <= best.size) best = {std::move(states), in_states};
  co_return best;
}

json_object count_by_state(const json_array& tasks) {
  std::map<std::string, std::int64_t> counted;
  for (const auto& task : tasks) ++counted[std::string(text_at(task.as_object(), "state"))];
  json_object out;
  for (const auto& [state, n] : counted) out[state] = n;
  return out;
}

// By the sizes of indexes alone. Returns nullopt when these do not tell.
awaitable<std::optional<json_object>> count_by_size(broker_view at, const history_query& q) {
  const std::vector<std::string> states(history_states.begin(), history_states.end());
  const auto keys = state_indexes(at, states);
  json_object out;
  if (q.name.empty() && q.worker.empty()) {
    const auto sizes = co_await sizes_of(at, keys, q);
    for (std::size_t i = 0; i < sizes.size(); ++i)
      if (sizes[i] > 0) out[states[i]] = sizes[i];
    co_return out;
  }
  if ((!q.name.empty() && !q.worker.empty()) || q.since || q.until) co_return std::nullopt;
  const auto index = q.name.empty() ? at.keys.own("history:worker:", q.worker)
                                    : at.keys.own("history:name:", q.name);
  auto sized = keys;
  sized.push_back(index);
  const auto sizes = co_await sizes_of(at, sized, q);
  redis::request ask;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (std::min(sizes[i], sizes.back()) > intersect_limit) co_return std::nullopt;
    ask.push("ZINTERCARD", 2, index, keys[i]);
  }
  const auto replies = co_await at.redis.exec(std::move(ask));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (replies[i].is_error()) co_return std::nullopt;  // Redis before 7
    const auto n = replies[i].as_integer().value_or(0);
    if (n > 0) out[states[i]] = n;
  }
  co_return out;
}

// Counts by looking at each: the plan holds few.
awaitable<json_object> count_by_walk(broker_view at, plan of, const history_query& q) {
  index_reader reader(at, std::move(of.indexes), from_of(q), to_of(q), std::nullopt);
  json_array fitting;
  while (true) {
    const auto part = co_await reader.next(part_tasks);
    if (part.empty()) break;
    std::vector<std::string> ids;
    for (const auto& p : part) ids.push_back(p.id);
    const auto rows = co_await read_rows(at, std::move(ids));
    for (const auto& row : rows)
      if (fits(row.as_object(), q, true)) fitting.push_back(row);
  }
  co_return count_by_state(fitting);
}

awaitable<std::optional<json_object>> count(broker_view at, const history_query& q) {
  if (q.id.empty() && q.arguments.empty()) {
    auto by_size = co_await count_by_size(at, q);
    if (by_size) co_return std::move(by_size);
  }
  auto walk = co_await plan_of(at, q, true);
  if (walk.size > static_cast<std::int64_t>(count_limit_tasks)) co_return std::nullopt;
  auto counted = co_await count_by_walk(at, std::move(walk), q);
  co_return std::move(counted);
}

awaitable<result<history_page>> read_by_index(broker_view at, plan from, history_query q,
                                              deadline until) {
  std::optional<place> behind;
  if (!q.cursor.empty()) {
    const auto text = unpacked('i', q.cursor).value_or("");
    const auto space = text.find(' ');
    if (space == std::string::npos)
      co_return error{errc::invalid_argument, "this cursor is not one of ours"};
    behind = place{std::strtod(text.c_str(), nullptr), text.substr(space + 1)};
  }
  history_page out;
  index_reader reader(at, std::move(from.indexes), from_of(q), to_of(q), behind);
  for (std::size_t seen = 0;; seen += part_tasks) {
    const auto part = co_await reader.next(part_tasks);
    if (part.empty()) co_return out;
    std::vector<std::string> ids;
    for (const auto& p : part) ids.push_back(p.id);
    const auto rows = co_await read_rows(at, std::move(ids));
    std::size_t row = 0;
    for (const auto& p : part) {
      // The hash of an old task may be gone.
      if (row == rows.size() || text_at(rows[row].as_object(), "id") != p.id) continue;
      const auto& task = rows[row++].as_object();
      if (!fits(task, q, false)) continue;
      out.items.push_back(task);
      if (out.items.size() < q.limit) continue;
      out.next = packed('i', fmt::format("{} {}", p.score, p.id));
      co_return out;
    }
    const bool is_late = seen >= walk_limit_tasks || std::chrono::steady_clock::now() >= until;
    if (!is_late) continue;
    out.is_partial = true;
    out.next = packed('i', fmt::format("{} {}", part.back().score, part.back().id));
    co_return out;
  }
}

// A line in the texts: its block, and where it stands there.
struct text_place {
  std::int64_t block = 0, position = 0;
};

// Reads the texts from the newest line on, in parts.
class text_reader {
 public:
  text_reader(broker_view at, const history_query& q)
      : at_(at),
        prefix_(at.keys.own("history:")),
        needle_(q.id.empty() ? lower(q.arguments) : q.id),
        where_(q.id.empty() ? "arguments" : "id") {}

  awaitable<void> open(std::optional<text_place> behind) {
    const auto texts =
        redis::checked(co_await at_.redis.command("HMGET", prefix_ + "texts", "first", "last"));
    first_ = texts[0].as_integer().value_or(1);
    next_ = {texts[1].as_integer().value_or(0), 0};
    if (behind && behind->block <= next_.block) next_ = *behind;
    if (next_.position == 1) next_ = {next_.block - 1, 0};  // nothing stands in front of it
  }
  [[nodiscard]] bool is_done() const noexcept { return next_.block < first_; }

  // Matches of some blocks; the lines come newest first.
  awaitable<std::vector<std::pair<text_place, std::string>>> next(std::size_t limit) {
    const auto last = std::max(first_, next_.block - blocks_per_search + 1);
    const std::string limit_text = std::to_string(limit), from = std::to_string(next_.block),
                      before = std::to_string(next_.position), to = std::to_string(last);
    const std::vector<std::string_view> keys{prefix_};
    const std::vector<std::string_view> args{needle_, where_, limit_text, from, before, to};
    const auto reply = redis::checked(co_await at_.redis.eval(scripts::history_text, keys, args));
    std::vector<std::pair<text_place, std::string>> out;
    for (std::size_t i = 1; i + 2 < reply.size(); i += 3)
      out.emplace_back(
          text_place{reply[i].as_integer().value_or(0), reply[i + 1].as_integer().value_or(0)},
          reply[i + 2].as_string());
    next_ = {reply[0].as_integer().value_or(0), 0};
    co_return out;
  }
  [[nodiscard]] text_place place() const noexcept { return next_; }

 private:
  broker_view at_;
  std::string prefix_, needle_, where_;
  std::int64_t first_ = 1;
  text_place next_;  // lines in front of this position of this block come next
};

std::string cursor_of(text_place p) {
  return packed('t', fmt::format("{} {}", p.block, p.position));
}

bool is_within(const json_object& task, const history_query& q) {
  if (!q.since && !q.until) return true;
  std::optional<wall_time> latest;
  for (const auto* field : {"sent", "received", "started", "ended"})
    if (const auto t = parse_iso(text_at(task, field))) latest = std::max(latest.value_or(*t), *t);
  return latest && (!q.since || *latest >= *q.since) && (!q.until || *latest <= *q.until);
}

// The whole search when it is short: that tells the counts, too.
awaitable<result<history_page>> read_by_text(broker_view at, history_query q, deadline until) {
  std::optional<text_place> behind;
  if (!q.cursor.empty()) {
    const auto text = unpacked('t', q.cursor).value_or("");
    const auto space = std::min(text.find(' '), text.size());
    const auto block = parse_natural(text.substr(0, space));
    const auto position = parse_natural(space < text.size() ? text.substr(space + 1) : "");
    if (!block || !position)
      co_return error{errc::invalid_argument, "this cursor is not one of ours"};
    behind = text_place{*block, *position};
  }
  text_reader reader(at, q);
  co_await reader.open(behind);
  history_page out;
  json_array fitting;  // in any state
  std::set<std::string> seen;
  bool counts = !behind;
  while (!reader.is_done()) {
    const auto part = co_await reader.next(part_tasks);
    std::vector<std::string> ids;
    for (const auto& [where, id] : part) ids.push_back(id);
    const auto rows = co_await read_rows(at, std::move(ids));
    std::size_t row = 0;
    for (const auto& [where, id] : part) {
      if (row == rows.size() || text_at(rows[row].as_object(), "id") != id) continue;
      const auto& task = rows[row++].as_object();
      // A task has two lines when its arguments became known later.
      if (!seen.insert(id).second || !fits(task, q, true) || !is_within(task, q)) continue;
      if (counts) fitting.push_back(task);
      if (out.items.size() >= q.limit || !fits(task, q, false)) continue;
      out.items.push_back(task);
      if (out.items.size() == q.limit) out.next = cursor_of(where);
    }
    const bool is_late = std::chrono::steady_clock::now() >= until;
    counts = counts && seen.size() <= count_limit_tasks && !is_late;
    if (!counts && !out.next.empty()) break;
    if (!is_late || reader.is_done()) continue;
    out.is_partial = true;
    out.next = cursor_of({reader.place().block + 1, 1});
    break;
  }
  if (counts) out.counts = count_by_state(fitting);
  co_return out;
}

}  // namespace

result<std::vector<std::string>> parse_states(std::string_view words) {
  std::vector<std::string> out;
  while (!words.empty()) {
    const auto comma = std::min(words.find(','), words.size());
    const auto word = words.substr(0, comma);
    if (std::ranges::find(history_states, word) == history_states.end())
      return error{errc::invalid_argument,
                   "`" + std::string(word.substr(0, 64)) +
                       "` is no state; there are PENDING, RECEIVED, STARTED, SUCCESS, FAILURE, "
                       "RETRY, REVOKED and REJECTED"};
    if (std::ranges::find(out, word) == out.end()) out.emplace_back(word);
    words.remove_prefix(std::min(comma + 1, words.size()));
  }
  return out;
}

awaitable<json_array> read_rows(broker_view at, std::vector<std::string> ids) {
  json_array out;
  if (ids.empty()) co_return out;
  redis::request ask;
  for (const auto& id : ids) ask.push("HGETALL", at.keys.own("history:task:", id));
  const auto hashes = redis::checked(co_await at.redis.exec(std::move(ask)));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto task = to_object(ids[i], hashes[i]);
    if (task.size() > 1) out.push_back(std::move(task));
  }
  co_return out;
}

awaitable<result<history_page>> read_history(broker_view at, history_query q) {
  const auto until = std::chrono::steady_clock::now() + q.time_limit;
  const bool by_text = !q.id.empty() || !q.arguments.empty();
  auto best = co_await plan_of(at, q, false);
  const bool walks = !by_text || best.size <= static_cast<std::int64_t>(count_limit_tasks);
  // A cursor goes on with the way of searching that it comes from.
  const bool goes_on_by_text = !q.cursor.empty() && unpacked('t', q.cursor).has_value();
  if (by_text && (goes_on_by_text || (!walks && q.cursor.empty())))
    co_return co_await read_by_text(at, std::move(q), until);
  auto page = co_await read_by_index(at, std::move(best), q, until);
  if (page && q.cursor.empty()) {
    auto counted = co_await count(at, q);
    page->counts = std::move(counted);
    if (by_text && !page->counts) {
      auto searched = co_await read_by_text(at, q, until);
      page->counts = std::move(searched->counts);
    }
  }
  co_return page;
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
