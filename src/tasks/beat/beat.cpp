#include "tasks/beat/beat.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/task_group.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <csignal>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

// A run that is later than this counts as missed: a failover is faster.
constexpr auto missed_after = 30s;

constexpr double longest_expiry_s = 1e9;

// For operators, who see what the configuration of the leader holds.
constexpr auto fixed_refresh = 10min;
constexpr std::int64_t fixed_ttl_s = 3'600;

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

std::string stored(wall_time t) { return fmt::format("{:.6f}", to_unix_s(t)); }

result<void> read_when(periodic_task& to, const json_object& d) {
  const auto every = text_at(d, "every");
  const auto line = text_at(d, "cron");
  if (every.empty() == line.empty())
    return bad(fmt::format("{} needs either every or cron", to.name));
  if (line.empty()) {
    to.every = parse_duration(every);
    if (!to.every || to.every->count() == 0)
      return bad(fmt::format("{}: every is not a duration", to.name));
    if (d.contains("timezone")) return bad(fmt::format("{}: timezone is for cron", to.name));
    return {};
  }
  auto at = cron::parse(line, std::string(text_at(d, "timezone")));
  if (!at) return bad(fmt::format("{}: {}", to.name, at.error().message));
  to.at = std::move(*at);
  return {};
}

// A typo must not become an entry that does something else.
result<void> check_fields(const std::string& entry, const json_object& d) {
  using check = bool (*)(const json&);
  const check text = [](const json& v) { return v.is_string(); };
  const check array = [](const json& v) { return v.is_array(); };
  const check object = [](const json& v) { return v.is_object(); };
  const check priority = [](const json& v) {
    return v.is_int64() && v.get_int64() >= 0 && v.get_int64() <= 9;
  };
  const check positive = [](const json& v) {
    return v.is_number() && v.to_number<double>() > 0 && v.to_number<double>() <= longest_expiry_s;
  };
  const check missed = [](const json& v) { return v == json("once") || v == json("skip"); };
  const std::map<std::string_view, std::pair<check, const char*>> known{
      {"task", {text, "a name"}},
      {"every", {text, "a duration such as \"30s\""}},
      {"cron", {text, "a line of five fields or a nickname such as @daily"}},
      {"timezone", {text, "a name such as \"Europe/Paris\""}},
      {"args", {array, "an array"}},
      {"kwargs", {object, "an object"}},
      {"queue", {text, "a name"}},
      {"priority", {priority, "an integer from 0 to 9"}},
      {"expires_s", {positive, "a number of seconds, at most 1,000,000,000"}},
      {"missed", {missed, "once or skip"}}};
  for (const auto& [key, value] : d) {
    const auto found = known.find(key);
    if (found == known.end()) {
      std::vector<std::string> names;
      for (const auto& [one, what] : known) names.emplace_back(one);
      const auto meant = nearest(key, names);
      return bad(fmt::format("{}: unknown key `{}`{}", entry, std::string(key),
                             meant.empty() ? "" : fmt::format("; `{}`?", meant)));
    }
    if (!found->second.first(value))
      return bad(fmt::format("{}: {} is {}", entry, std::string(key), found->second.second));
  }
  return {};
}

}  // namespace

result<periodic_task> parse_periodic(std::string name, const json_object& d) {
  periodic_task out;
  out.name = std::move(name);
  if (const auto ok = check_fields(out.name, d); !ok) return ok.error();
  out.task = text_at(d, "task");
  if (out.task.empty()) return bad(fmt::format("the periodic task {} names no task", out.name));
  if (const auto ok = read_when(out, d); !ok) return ok.error();
  if (const auto* args = d.if_contains("args")) out.args = args->get_array();
  if (const auto* kwargs = d.if_contains("kwargs")) out.kwargs = kwargs->get_object();
  out.options.queue = text_at(d, "queue");
  if (const auto* p = d.if_contains("priority"))
    out.options.priority = static_cast<int>(p->get_int64());
  if (const auto* e = d.if_contains("expires_s"))
    out.options.expires = expiry(std::chrono::duration<double>(e->to_number<double>()));
  out.run_missed = text_at(d, "missed") != "skip";
  out.definition = d;
  return out;
}

std::optional<wall_time> next_due(const periodic_task& entry, wall_time last) {
  if (entry.every) return last + *entry.every;
  return entry.at->next_after(last);
}

beat::beat(app::impl& owner, asio::io_context& io, std::vector<periodic_task> fixed,
           milliseconds lease)
    : app_(owner),
      io_(io),
      redis_(io, owner.broker, "skirmish-beat"),
      fixed_(std::move(fixed)),
      lease_time_(lease),
      lease_(redis_, owner.keys.own("beat:leader"), lease),
      wake_(io) {}

void beat::stop() {
  stopping_ = true;
  wake_.set();
}

awaitable<bool> beat::lead() {
  const bool now = co_await lease_.hold();
  if (now != leading_) log::info(now ? "beat_leads" : "beat_follows", {{"token", lease_.token()}});
  if (!leading_) shown_at_.reset();
  leading_ = now;
  co_return now;
}

awaitable<void> beat::show_fixed() {
  const auto key = app_.keys.own("beat:fixed");
  redis::request show;
  show.push("MULTI");
  show.push("DEL", key);
  for (const auto& entry : fixed_)
    show.push("HSET", key, entry.name, to_json_text(entry.definition));
  show.push("EXPIRE", key, fixed_ttl_s);
  show.push("EXEC");
  redis::checked(co_await redis_.exec(std::move(show)));
  shown_at_ = std::chrono::steady_clock::now();
}

awaitable<void> beat::reload() {
  entries_.clear();
  for (const auto& entry : fixed_) entries_.insert_or_assign(entry.name, entry);
  const auto own = redis::checked(co_await redis_.command("HGETALL", app_.keys.own("beat")));
  std::map<std::string, std::string> refused;
  for (const auto& [name, text] : own.as_pairs()) {
    const auto definition = parse_json(text);
    auto entry = definition && definition->is_object()
                     ? parse_periodic(name, definition->get_object())
                     : result<periodic_task>(bad("not a JSON object"));
    if (entry)
      entries_.insert_or_assign(name, std::move(*entry));
    else
      refused.emplace(name, entry.error().message);
  }
  // The same entries are read every few seconds, so each error is logged once.
  for (const auto& [name, problem] : refused)
    if (const auto told = refused_.find(name); told == refused_.end() || told->second != problem)
      log::warn("beat_entry_refused", {{"entry", name}, {"error", problem}});
  refused_ = std::move(refused);
}

awaitable<void> beat::consider(const periodic_task& entry, std::string last, wall_time now,
                               wall_time& next) {
  const auto leader = app_.keys.own("beat:leader"), lasts = app_.keys.own("beat:last");
  std::string list = leader, envelope, moved_to;
  bool sends = false;
  std::optional<wall_time> due;
  if (last.empty()) {
    moved_to = stored(now);  // new: its interval starts now
    due = now;
  } else {
    due = next_due(entry, from_unix_s(std::strtod(last.c_str(), nullptr)));
    if (!due) co_return;
    if (*due > now) {
      next = std::min(next, *due);
      co_return;
    }
    // The latest time that has passed. Earlier ones were missed; at most one run makes up for them.
    auto latest = *due;
    if (entry.every) {
      latest += (now - latest) / *entry.every * *entry.every;
    } else {
      // After a long outage a line of every minute would take long: the last day is enough to find
      // the latest time.
      constexpr int steps_limit = 1500;
      int steps = 0;
      for (auto after = entry.at->next_after(latest); after && *after <= now;
           after = entry.at->next_after(latest)) {
        latest = *after;
        if (++steps == steps_limit) latest = std::max(latest, now - std::chrono::hours{24});
      }
    }
    moved_to = stored(latest);
    sends = entry.run_missed || now - latest <= missed_after;
    due = latest;
  }
  if (sends) {
    auto m = app_.prepare(entry.task, entry.args, entry.kwargs, entry.options);
    auto to = address(app_.keys, m);
    list = std::move(to.list);
    envelope = std::move(to.envelope);
  }
  const std::vector<std::string_view> keys{leader, lasts, list};
  const std::vector<std::string_view> args{lease_.token(), entry.name, last, moved_to, envelope};
  bool done = false;
  try {
    done = redis::checked(co_await redis_.eval(scripts::beat_fire, keys, args)).as_bool();
  } catch (const failure& e) {
    // This entry alone failed, for example because its queue is not a list. The others are still
    // due.
    if (e.code() != errc::internal) throw;
    log::warn("beat_entry_failed", {{"entry", entry.name}, {"error", e.what()}});
    co_return;
  }
  if (done && sends)
    log::info("beat_sent", {{"entry", entry.name}, {"task", entry.task}, {"due", to_iso(*due)}});
  if (const auto after = next_due(entry, *due); after) next = std::min(next, *after);
}

awaitable<milliseconds> beat::tick() {
  const auto now = wall_now();
  const auto longest_sleep = lease_time_ / 3;  // well within the lease
  auto next = now + longest_sleep;
  if (!co_await lead()) co_return longest_sleep;
  co_await reload();
  const bool is_shown = shown_at_ && std::chrono::steady_clock::now() - *shown_at_ < fixed_refresh;
  if (!is_shown) co_await show_fixed();
  const auto lasts = redis::checked(co_await redis_.command("HGETALL", app_.keys.own("beat:last")));
  std::map<std::string, std::string> last_of;
  for (const auto& [name, text] : lasts.as_pairs()) last_of.emplace(name, text);
  for (const auto& [name, entry] : entries_) {
    const auto found = last_of.find(name);
    // Named: g++ 12 frees the temporary of a conditional inside co_await twice.
    std::string last = found == last_of.end() ? std::string() : found->second;
    co_await consider(entry, std::move(last), now, next);
  }
  const auto left = std::chrono::ceil<milliseconds>(next - wall_now());
  co_return std::clamp<milliseconds>(left, 1ms, longest_sleep);
}

awaitable<void> beat::run() {
  task_group connections(io_);
  connections.spawn("beat_redis", [this] { return redis_.run(); });
  co_await redis_.wait_connected(10s);
  log::info("beat_ready", {{"entries", fixed_.size()}});
  while (!stopping_) {
    milliseconds pause = 1s;
    try {
      pause = co_await tick();
    } catch (const failure& e) {
      leading_ = false;
      log::repeated(log::level::warn, e.what(), "beat_failed", {{"error", e.what()}});
    }
    if (stopping_) break;
    co_await wake_.wait_for(pause);
  }
  // So that the next leader need not wait for the lease to expire.
  try {
    if (leading_) co_await lease_.release();
  } catch (const failure&) {
    leading_ = false;
  }
  redis_.stop();
  co_await connections.wait(5s);
}

int run_beat(app& owner, std::vector<periodic_task> fixed) {
  asio::io_context io(1);
  beat scheduler(owner.internals(), io, std::move(fixed));
  asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&](error_code ec, int) {
    if (!ec) scheduler.stop();
  });
  int code = 0;
  const auto run = [&scheduler]() -> awaitable<void> { co_await scheduler.run(); };
  asio::co_spawn(io, run, [&](const std::exception_ptr& problem) {
    try {
      if (problem) std::rethrow_exception(problem);
    } catch (const std::exception& e) {
      log::error("beat_failed", {{"error", e.what()}});
      code = 1;
    }
    signals.cancel();
    io.stop();
  });
  io.run();
  return code;
}

}  // namespace skirmish::tasks
