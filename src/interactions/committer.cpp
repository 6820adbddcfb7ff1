#include "interactions/committer.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"
#include "core/parse.hpp"
#include "interactions/interactions_keys.hpp"
#include "redis/views.hpp"

#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <cmath>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

const redis::script commit_script{
    "interactions/commit",
// clang-format off: in this order
#include "redis/attempt.lua.inc"
#include "chat/deliver.lua.inc"
#include "achievements/unlock.lua.inc"
#include "interactions/game.lua.inc"
#include "activity/open_slice.lua.inc"
#include "interactions/flush_activity.lua.inc"
#include "interactions/flush_attacks.lua.inc"
#include "interactions/commit.lua.inc"
    // clang-format on
};

constexpr std::uint64_t in_flight_limit = 2;
constexpr auto durability_pulse = 50ms;
constexpr std::chrono::duration<double> load_memory{3};  // an event counts e times less each

const error maybe_done{errc::deadline_exceeded, "not confirmed; it may have been done"};
const error too_much_pending{errc::unavailable, "too much is waiting to be settled; try again"};
const error redis_down{errc::unavailable, "the store is down; try again"};

amendment read_amendment(const redis::value& reply) {
  amendment out;
  const auto streams = reply[1].as_strings();
  for (std::size_t i = 0; i + 1 < streams.size(); i += 2) {
    const auto& committed = streams[i + 1];
    if (committed == "taken")
      out.taken_streams.insert(streams[i]);
    else
      out.streams[streams[i]] = static_cast<std::uint64_t>(parse_integer(committed).value_or(0));
  }
  for (auto& id : reply[2].as_strings()) out.unknown_players.insert(id);
  for (auto& id : reply[3].as_strings()) out.seen_ids.insert(id);
  for (auto& id : reply[4].as_strings()) out.unknown_levels.insert(id);
  for (auto& key : reply[5].as_strings()) out.damaged_keys.insert(key);
  for (auto& id : reply[6].as_strings()) out.claimed_ids.insert(id);
  return out;
}

}  // namespace

committer::committer(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
                     const clock& time, committer_settings settings, metrics::registry& metrics)
    : io_(io),
      redis_(redis),
      keys_(keys),
      clock_(time),
      settings_(std::move(settings)),
      writer_(random_hex(8)),
      turn_(io, steady::time_point::max()),
      pulse_(io),
      accepted_(metrics.add_counter("skirmish_events_accepted_total", "Events committed.")),
      rejected_(
          metrics.add_counter("skirmish_events_rejected_total", "Events rejected one by one.")),
      commits_(metrics.add_counter("skirmish_commits_total", "Commits of the interaction engine.")),
      retries_(metrics.add_counter("skirmish_commit_retries_total", "Commits sent again.")),
      redone_(metrics.add_counter("skirmish_commits_redone_total",
                                  "Confirmed commits sent again to a Redis that had lost them.")) {
  settings_.commit.prefix = keys.prefix();
  settings_.commit.refreshes_profile = [this](const std::string& id) { return keeps_profile(id); };
}

bool committer::has_room() const noexcept {
  return in_flight() < in_flight_limit && redo_.bytes() < settings_.redo_limit_bytes;
}

awaitable<void> committer::write(batch b) {
  const turn mine(*this);
  bool is_applied = false;
  std::exception_ptr problem;
  try {
    co_await write_in_turn(b, mine.ticket(), is_applied);
  } catch (...) {
    problem = std::current_exception();
  }
  if (!problem) co_return;
  log::error("commit_failed", {{"error", message_of(problem)}});
  b.fail({errc::internal, "the events could not be written"});
  co_await wait_turn(mine.ticket());
  // Whether its number is taken is unknown.
  if (!is_applied) start_anew();
}

awaitable<void> committer::write_in_turn(batch& b, std::uint64_t ticket, bool& is_applied) {
  const auto now = clock_.now();
  settings_.commit.leaves_pending = is_busy(b);
  attempt first;
  commit_request request;
  if (!troubled_) {
    request = b.request(settings_.commit, now);
    first = co_await send(request, committed_ + 1 + (ticket - serving_));
  }
  co_await wait_turn(ticket);
  co_await finish(b, request, std::move(first), now, is_applied);
}

void committer::end_turn(std::uint64_t ticket) noexcept {
  turns_ended_[static_cast<std::size_t>(ticket - serving_)] = true;
  while (!turns_ended_.empty() && turns_ended_.front()) {
    turns_ended_.pop_front();
    ++serving_;
  }
  turn_.cancel();
}

awaitable<void> committer::wait_turn(std::uint64_t ticket) {
  while (serving_ != ticket) {
    error_code ignored;
    co_await turn_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

awaitable<committer::attempt> committer::send(commit_request& request, std::uint64_t number) {
  request.number() = std::to_string(number);
  const auto work = [this, &request, number, era = era_, key = commit_key(keys_, writer_)] {
    return send_now(request, number, era, key);
  };
  co_return co_await on_redis(work);
}

awaitable<committer::attempt> committer::send_now(commit_request& request, std::uint64_t number,
                                                  std::uint64_t era, std::string key) {
  attempt out;
  out.number = number;
  out.era = era;
  out.client = redis_.client_id();
  const std::string_view keys[] = {key};
  const auto views = redis::views(request.arguments);
  try {
    out.reply = redis::checked(co_await redis_.eval(commit_script, keys, views));
  } catch (const failure& e) {
    out.lost = error{e.code(), e.what()};
  }
  co_return out;
}

// Whatever it takes, in this batch's turn.
awaitable<void> committer::finish(batch& b, commit_request& request, attempt last, timestamp now,
                                  bool& is_applied) {
  const auto first_try = steady::now();
  bool maybe_applied = false;
  troubled_ = false;
  while (!b.empty()) {
    // Sent under a name that was given up while this one waited for its turn.
    const bool is_old = last.number != 0 && last.era != era_;
    const bool is_due = !is_old && last.number == committed_ + 1;
    if (last.reply && (is_due || is_old) && (*last.reply)[0].as_string() == "ok") {
      is_applied = true;
      if (is_due) keep(std::move(request), last);
      applied(b, *last.reply);
      co_return;
    }
    if (is_old && last.lost && last.lost->code == errc::deadline_exceeded) {
      b.fail(maybe_done);
      co_return;
    }
    if (last.number != 0) troubled_ = true;
    if (last.lost && last.lost->code == errc::internal) {
      // The script itself failed: Redis holds something that should not be there. Sending it again
      // would not help.
      throw failure(errc::internal, last.lost->message);
    }
    if (last.lost) {
      log::warn("commit_lost",
                {{"error", last.lost->message}, {"number", last.number}, {"client", last.client}});
      retries_.add();
      maybe_applied |= last.lost->code == errc::deadline_exceeded;
      const bool patient = steady::now() - first_try < settings_.patience;
      if (!maybe_applied && (!patient || stopping_)) {
        b.fail(redis_down);
        co_return;
      }
      co_await settle(last.client);
    } else if (last.reply && is_due && (*last.reply)[0].as_string() == "amend") {
      co_await amend(b, *last.reply);
      request = {};
      maybe_applied = false;
    } else if (last.reply && is_due && (*last.reply)[0].as_string() == "full") {
      b.fail(too_much_pending);
      co_return;
    } else if (last.reply && is_due) {
      const auto found = parse_integer((*last.reply)[1].as_string()).value_or(0);
      const bool redone = co_await redo(static_cast<std::uint64_t>(found));
      if (!redone && maybe_applied) {
        b.fail(maybe_done);
        co_return;
      }
    }
    if (b.empty()) co_return;
    if (request.empty()) request = b.request(settings_.commit, now);
    last = co_await send(request, committed_ + 1);
  }
}

// For the case that Redis forgets it.
void committer::keep(commit_request request, const attempt& last) {
  ++committed_;
  caught_up_ = last.client;
  redo_.push(committed_, std::move(request));
}

void committer::applied(batch& b, const redis::value& reply) {
  commits_.add();
  const auto outcome = reply.as_strings();
  b.take_back(verdicts_of(outcome), refused_scores_of(outcome));
  for (const auto& line : outcome)
    if (line.starts_with('~')) damaged_.report(line.substr(1));
  accepted_.add(b.event_count());
  b.succeed();
}

awaitable<void> committer::amend(batch& b, const redis::value& reply) {
  auto changes = read_amendment(reply);
  // Players may be missing only because Redis was emptied: those with a profile get their live
  // state back.
  std::vector<std::string> unknown(changes.unknown_players.begin(), changes.unknown_players.end());
  if (!unknown.empty()) unknown = co_await settings_.restore_players(std::move(unknown));
  changes.unknown_players = {unknown.begin(), unknown.end()};
  std::vector<std::string> levels(changes.unknown_levels.begin(), changes.unknown_levels.end());
  if (!levels.empty()) levels = co_await settings_.restore_levels(std::move(levels));
  changes.unknown_levels = {levels.begin(), levels.end()};
  for (const auto& key : changes.damaged_keys) damaged_.report(keys_.key(key));
  const auto before = b.event_count();
  b.amend(changes);
  rejected_.add(before - b.event_count());
}

// Redis is behind what it has confirmed: it was killed before it had written that to its file.
// Sends it again. False when that is not known any more.
awaitable<bool> committer::redo(std::uint64_t found) {
  log::warn("redis_lost_commits", {{"confirmed", committed_}, {"found", found}});
  auto caught_up = redis_.client_id();
  for (auto number = found + 1; number <= committed_; ++number) {
    const auto* entry = redo_.find(number);
    if (!entry) {
      log::error("commit_gap", {{"confirmed", committed_}, {"found", found}});
      start_anew();
      co_return false;
    }
    auto request = entry->request;
    request.mark_as_redo();
    const auto again = co_await send(request, number);
    if (again.lost) {
      co_await settle(again.client);
      --number;
      if (stopping_) co_return false;
      continue;
    }
    if ((*again.reply)[0].as_string() != "ok")
      log::error("commit_not_redone", {{"number", number}, {"reply", again.reply->to_text()}});
    redone_.add();
    caught_up = again.client;
  }
  caught_up_ = caught_up;
  co_return true;
}

awaitable<void> committer::catch_up() {
  if (redo_.empty() || caught_up_ == redis_.client_id()) co_return;
  const turn mine(*this);
  troubled_ = true;
  co_await wait_turn(mine.ticket());
  const auto client = redis_.client_id();
  const auto look = [this, key = commit_key(keys_, writer_)] { return redis_.command("GET", key); };
  const auto reply = redis::checked(co_await on_redis(look));
  const auto& text = reply.as_string();
  const auto found = parse_integer(text.substr(0, text.find(' '))).value_or(0);
  if (static_cast<std::uint64_t>(found) < committed_)
    co_await redo(static_cast<std::uint64_t>(found));
  else
    caught_up_ = client;
}

awaitable<void> committer::watch_durability() {
  while (!stopping_) {
    pulse_.expires_after(durability_pulse);
    error_code ignored;
    co_await pulse_.async_wait(asio::redirect_error(use_awaitable, ignored));
    if (stopping_ || redo_.empty() || caught_up_ != redis_.client_id()) continue;
    const auto mark = committed_;
    bool written = false;
    try {
      const auto ask = [this] { return redis_.command("INFO", "persistence"); };
      const auto info = co_await on_redis(ask);
      // A server that does not tell is taken at its word.
      written = info.is_error() || says_written(info.as_string());
    } catch (const failure&) {
    }
    if (!written) continue;
    redo_.release(mark);
    turn_.cancel();
  }
}

void committer::stop() {
  stopping_ = true;
  pulse_.cancel();
}

// A match that is replayed at once is no load yet: whoever looks into Redis then finds all of it.
bool committer::is_busy(const batch& b) {
  const auto events = b.event_count();
  const auto now = steady::now();
  const std::chrono::duration<double> passed = now - counted_at_;
  counted_at_ = now;
  recent_events_ = recent_events_ * std::exp(-passed / load_memory) + static_cast<double>(events);
  const bool is_backlog = std::cmp_greater(events, settings_.backlog_events) &&
                          std::cmp_greater_equal(b.stream_count(), settings_.backlog_streams);
  // Not to be left by the next commit, which is smaller for it.
  if (is_backlog) recent_events_ = std::max(recent_events_, 2 * settings_.busy_from);
  return std::cmp_greater(events, settings_.small_commit_limit) &&
         recent_events_ > settings_.busy_from;
}

// Once a minute.
bool committer::keeps_profile(const std::string& player_id) {
  const auto minute = std::chrono::floor<std::chrono::minutes>(clock_.now().time_since_epoch());
  if (minute != kept_minute_) {
    kept_minute_ = minute;
    kept_profiles_.clear();
  }
  return kept_profiles_.insert(player_id).second;
}

// After a lost reply: waits for a connection and makes sure that the old one executes nothing more.
awaitable<void> committer::settle(std::int64_t lost_client) {
  try {
    const auto work = [this, lost_client] { return kill_when_connected(lost_client); };
    co_await on_redis(work);
    co_return;
  } catch (const failure&) {
  }
  asio::steady_timer pause(io_, 50ms);
  error_code ignored;
  co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
}

awaitable<bool> committer::kill_when_connected(std::int64_t lost_client) {
  co_await redis_.wait_connected(500ms);
  if (lost_client != 0 && lost_client != redis_.client_id())
    co_await redis_.command("CLIENT", "KILL", "ID", lost_client);
  co_return true;
}

void committer::start_anew() {
  writer_ = random_hex(8);
  ++era_;
  committed_ = 0;
  redo_.clear();
}

}  // namespace skirmish::interactions
