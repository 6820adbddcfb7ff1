#include "interactions/interactions.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "interactions/attack_dump.hpp"
#include "interactions/interactions_keys.hpp"

#include <boost/asio/redirect_error.hpp>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

const redis::script commit_script{
    "interactions/commit",
// clang-format off: in this order
#include "chat/deliver.lua.inc"
#include "achievements/unlock.lua.inc"
#include "interactions/game.lua.inc"
#include "interactions/commit.lua.inc"
    // clang-format on
};

constexpr auto caller_patience = 10s;

const error busy{errc::unavailable, "too much is waiting to be written; try again"};
const error redis_down{errc::unavailable, "the store is down; try again"};

}  // namespace

engine::engine(asio::io_context& io, redis::client& redis, players::service& players,
               levels::service& levels, const redis::key_space& keys, const clock& time,
               engine_settings settings, metrics::registry& metrics)
    : io_(io),
      redis_(redis),
      players_(players),
      levels_(levels),
      keys_(keys),
      clock_(time),
      settings_(std::move(settings)),
      writer_(random_hex(8)),
      wake_(io),
      accepted_(metrics.add_counter("skirmish_events_accepted_total", "Events committed.")),
      rejected_(
          metrics.add_counter("skirmish_events_rejected_total", "Events rejected one by one.")),
      refused_(metrics.add_counter("skirmish_events_refused_total",
                                   "Events of frames refused as a whole (busy or down).")),
      commits_(metrics.add_counter("skirmish_commits_total", "Commits of the interaction engine.")),
      retries_(metrics.add_counter("skirmish_commit_retries_total", "Commits sent again.")),
      waiting_(metrics.add_gauge("skirmish_events_waiting", "Events waiting for a commit.")),
      duration_(metrics.add_histogram("skirmish_commit_duration_seconds",
                                      "Time of a commit, retries included.")) {
  settings_.commit.prefix = keys.prefix();
  settings_.commit.refreshes_profile = [this](const std::string& id) { return keeps_profile(id); };
}

void engine::submit(frame f) {
  if (stopping_ || queued_events_ + f.events.size() > settings_.queue_limit) {
    refused_.add(f.events.size());
    f.done({0, {}, busy, false});
    return;
  }
  queued_events_ += f.events.size();
  waiting_.add(static_cast<std::int64_t>(f.events.size()));
  queue_.push_back(std::move(f));
  wake_.cancel();
}

awaitable<outcome> engine::commit(frame f) {
  struct waiter {
    explicit waiter(asio::io_context& io) : timer(io, caller_patience) {}
    std::optional<outcome> answer;
    asio::steady_timer timer;
  };
  const auto state = std::make_shared<waiter>(io_);
  f.done = [state](outcome o) {
    state->answer = std::move(o);
    state->timer.cancel();
  };
  submit(std::move(f));
  if (!state->answer) {
    error_code ignored;
    co_await state->timer.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  if (state->answer) co_return std::move(*state->answer);
  co_return outcome{
      0, {}, error{errc::deadline_exceeded, "not confirmed in time; it may have been done"}, false};
}

awaitable<std::uint64_t> engine::committed(std::string stream_id) {
  auto reply = redis::checked(co_await redis_.command("GET", stream_key(keys_, stream_id)));
  co_return static_cast<std::uint64_t>(reply.as_integer().value_or(0));
}

awaitable<result<attack_record>> engine::latest_attack(std::string attacker_id,
                                                       std::string target_id) {
  auto reply =
      redis::checked(co_await redis_.command("HGETALL", attack_key(keys_, attacker_id, target_id)));
  const auto* ts = reply.find("ts");
  if (!ts) co_return error{errc::not_found, "no attack of this pair in the last 24 hours"};
  const auto* id = reply.find("id");
  const auto* damage = reply.find("damage");
  co_return attack_record{id ? id->as_string() : "", damage ? damage->as_integer().value_or(0) : 0,
                          ts->as_string()};
}

std::vector<frame> engine::take() {
  std::vector<frame> out;
  std::size_t events = 0;
  while (!queue_.empty()) {
    const auto size = queue_.front().events.size();
    if (!out.empty() && events + size > settings_.batch_limit) break;
    events += size;
    out.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_events_ -= events;
  waiting_.add(-static_cast<std::int64_t>(events));
  return out;
}

awaitable<void> engine::run() {
  while (!stopping_) {
    if (queue_.empty()) {
      wake_.expires_at(asio::steady_timer::time_point::max());
      error_code ignored;
      co_await wake_.async_wait(asio::redirect_error(use_awaitable, ignored));
      continue;
    }
    const auto start = std::chrono::steady_clock::now();
    batch b(take());
    if (!b.empty()) co_await write(std::move(b));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    duration_.observe(took.count());
  }
  batch left(take());
  left.fail(busy);
}

void engine::stop() {
  stopping_ = true;
  wake_.cancel();
}

awaitable<redis::value> engine::send(const std::vector<std::string>& arguments) {
  const auto key = commit_key(keys_, writer_);
  const std::string_view keys[] = {key};
  const std::vector<std::string_view> views(arguments.begin(), arguments.end());
  co_return co_await redis_.eval(commit_script, keys, views);
}

// Writes one batch, whatever it takes. It ends when every frame has been answered.
awaitable<void> engine::write(batch b) {
  const auto now = clock_.now();
  const auto first_try = std::chrono::steady_clock::now();
  bool maybe_applied = false;
  while (!b.empty()) {
    const auto client = redis_.client_id();
    amendment changes;
    auto step = verdict::again;
    std::vector<verdict_on_event> verdicts;
    bool lost = false;
    try {
      if (!dumps_known_) co_await learn_dumps();
      const auto arguments = b.arguments(settings_.commit, number_, now);
      const auto reply = redis::checked(co_await send(arguments));
      step = judge(b, reply, changes);
      if (step == verdict::applied) verdicts = verdicts_of(reply.as_strings());
    } catch (const failure& e) {
      log::warn("commit_failed", {{"error", e.what()}, {"number", number_}, {"client", client}});
      if (e.code() == errc::internal) {
        // The script itself failed: Redis holds something that should not be there. Sending it
        // again would not help.
        b.fail({errc::internal, "the events could not be written"});
        start_anew();
        co_return;
      }
      lost = true;
      maybe_applied |= e.code() == errc::deadline_exceeded;
    }
    if (lost) {
      retries_.add();
      const bool patient = std::chrono::steady_clock::now() - first_try < settings_.patience;
      if (!maybe_applied && (!patient || stopping_)) {
        b.fail(redis_down);
        co_return;
      }
      co_await settle(client);
    } else if (step == verdict::applied) {
      ++number_;
      commits_.add();
      b.take_back(verdicts);
      accepted_.add(b.event_count());
      b.succeed();
    } else if (step == verdict::amended) {
      // Players may be missing only because Redis was emptied: those with a profile get their live
      // state back.
      std::vector<std::string> unknown(changes.unknown_players.begin(),
                                       changes.unknown_players.end());
      if (!unknown.empty()) unknown = co_await players_.restore_live(std::move(unknown));
      changes.unknown_players = {unknown.begin(), unknown.end()};
      std::vector<std::string> levels(changes.unknown_levels.begin(), changes.unknown_levels.end());
      if (!levels.empty()) levels = co_await levels_.restore_popularity(std::move(levels));
      changes.unknown_levels = {levels.begin(), levels.end()};
      const auto before = b.event_count();
      b.amend(changes);
      rejected_.add(before - b.event_count());
      maybe_applied = false;
    } else if (maybe_applied) {
      b.fail({errc::deadline_exceeded, "not confirmed; it may have been done"});
    }
  }
}

engine::verdict engine::judge(batch&, const redis::value& reply, amendment& out) {
  const auto& kind = reply[0].as_string();
  if (kind == "ok") return verdict::applied;
  if (kind == "gap") {
    // Only a Redis that lost data answers so: this writer's own record is behind what was
    // acknowledged.
    log::error("commit_gap", {{"expected", number_ - 1}, {"found", reply[1].as_string()}});
    start_anew();
    return verdict::again;
  }
  const auto streams = reply[1].as_strings();
  for (std::size_t i = 0; i + 1 < streams.size(); i += 2)
    out.streams[streams[i]] = static_cast<std::uint64_t>(parse_integer(streams[i + 1]).value_or(0));
  for (auto& id : reply[2].as_strings()) out.unknown_players.insert(id);
  for (auto& id : reply[3].as_strings()) out.seen_ids.insert(id);
  for (auto& id : reply[4].as_strings()) out.unknown_levels.insert(id);
  return verdict::amended;
}

// After a lost reply: waits for a connection and makes sure that the old one executes nothing more.
awaitable<void> engine::settle(std::int64_t lost_client) {
  try {
    co_await redis_.wait_connected(500ms);
    if (lost_client != 0 && lost_client != redis_.client_id())
      co_await redis_.command("CLIENT", "KILL", "ID", lost_client);
    co_return;
  } catch (const failure&) {
  }
  asio::steady_timer pause(io_, 50ms);
  error_code ignored;
  co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
}

bool engine::keeps_profile(const std::string& player_id) {
  const auto minute = std::chrono::floor<std::chrono::minutes>(clock_.now().time_since_epoch());
  if (minute != kept_minute_) {
    kept_minute_ = minute;
    kept_profiles_.clear();
  }
  return kept_profiles_.insert(player_id).second;
}

// Dumps of attack records spare a command for each; a server of another kind may not take them.
awaitable<void> engine::learn_dumps() {
  std::string dump;
  dump_attack(dump, "", "1", to_rfc3339(clock_.now()));
  const auto key = commit_key(keys_, writer_) + ":dump";
  const auto reply = co_await redis_.command("RESTORE", key, 1, dump, "REPLACE");
  dumps_known_ = true;
  settings_.commit.dump_attacks = !reply.is_error();
  if (reply.is_error()) log::info("attacks_without_dumps", {{"reason", reply.as_string()}});
}

void engine::start_anew() {
  writer_ = random_hex(8);
  number_ = 1;
}

}  // namespace skirmish::interactions
