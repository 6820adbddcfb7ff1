#include "interactions/committer.hpp"

#include "core/damaged_data.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"
#include "core/parse.hpp"
#include "interactions/interactions_keys.hpp"
#include "redis/backoff.hpp"
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
constexpr std::chrono::duration<double> load_memory{3};  // an event counts e times less each

const error maybe_done{errc::deadline_exceeded, "not confirmed; it may have been done"};
const error too_much_pending{errc::unavailable, "too much is waiting to be settled; try again"};
const error redis_down{errc::unavailable, "the store is down; try again"};

// A function of its own: g++ 12 miscompiles the list of fields in a coroutine.
void report_unwritten(const error& why, std::uint64_t number, std::uint64_t connection) {
  log::repeated(log::level::warn, why.message, "commit_lost",
                {{"error", why.message}, {"number", number}, {"connection", connection}});
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
                                  "Confirmed commits sent again to a Redis that had lost them.")),
      lost_(metrics.add_counter("skirmish_commits_lost_total",
                                "Confirmed commits that Redis lost and that were kept no longer.")),
      held_bytes_(metrics.add_gauge("skirmish_commits_held_bytes",
                                    "Confirmed commits kept until they are safe.")),
      safe_after_(metrics.add_histogram(
          "skirmish_commit_safe_seconds",
          "From a commit's confirmation until it is written and replicated.")) {
  settings_.commit.prefix = keys.prefix();
  settings_.commit.refreshes_profile = [this](const std::string& id) { return keeps_profile(id); };
}

bool committer::has_room() const noexcept {
  return in_flight() < in_flight_limit && redo_.bytes() < settings_.redo_limit_bytes &&
         !replicas_are_behind();
}

bool committer::replicas_are_behind() const noexcept {
  if (settings_.replicas_acked == 0) return false;
  const auto* oldest = redo_.oldest();
  return oldest && steady::now() - oldest->kept_at > settings_.replica_lag_limit;
}

awaitable<void> committer::write(batch b) {
  const turn mine(*this);
  bool knows_number = false;
  error why{errc::internal, "the events could not be written"};
  std::exception_ptr problem;
  try {
    co_await write_in_turn(b, mine.ticket(), knows_number);
  } catch (const damaged_data&) {
    problem = std::current_exception();
    why = damaged_data::as_error();
  } catch (...) {
    problem = std::current_exception();
  }
  if (!problem) co_return;
  log::error("commit_failed", {{"error", message_of(problem)}});
  b.fail(why);
  co_await wait_turn(mine.ticket());
  // Whether its number is taken is unknown, so the next one is.
  if (!knows_number) start_anew();
}

awaitable<void> committer::write_in_turn(batch& b, std::uint64_t ticket, bool& knows_number) {
  const auto now = clock_.now();
  settings_.commit.leaves_pending = is_busy(b);
  attempt first;
  commit_request request;
  if (!troubled_) {
    request = b.request(settings_.commit, now);
    first = co_await send(request, committed_ + 1 + (ticket - serving_));
  }
  co_await wait_turn(ticket);
  co_await finish(b, request, std::move(first), now, knows_number);
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
  redis::exec_options options;
  options.sent_on = &out.connection;
  const std::string_view keys[] = {key};
  const auto views = redis::views(request.arguments);
  try {
    auto reply = co_await redis_.eval(commit_script, keys, views, options);
    out.is_answered = true;
    out.reply = redis::checked(std::move(reply));
  } catch (const damaged_data& e) {
    out.lost = error{e.code(), e.what()};
    // What demand() throws, before anything is written (redis/attempt.lua).
    out.is_damaged = out.lost->message.starts_with("redis: ERR the key ");
  } catch (const failure& e) {
    out.lost = error{e.code(), e.what()};
  }
  co_return out;
}

// Whatever it takes, in this batch's turn.
awaitable<void> committer::finish(batch& b, commit_request& request, attempt last, timestamp now,
                                  bool& knows_number) {
  const auto first_try = steady::now();
  bool maybe_applied = false;
  troubled_ = false;
  while (!b.empty()) {
    // Sent under a name that was given up while this one waited for its turn.
    const bool is_old = last.number != 0 && last.era != era_;
    const bool is_due = !is_old && last.number == committed_ + 1;
    if (last.reply && (is_due || is_old) && (*last.reply)[0].as_string() == "ok") {
      knows_number = true;
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
      // An error reply: the script's last step has not stored the number.
      knows_number = last.is_answered && !maybe_applied;
      // The script itself failed: Redis holds something that should not be there. Sending it again
      // would not help.
      if (last.is_damaged) throw damaged_data(last.lost->message);
      throw failure(errc::internal, last.lost->message);
    }
    if (last.lost) {
      report_unwritten(*last.lost, last.number, last.connection);
      retries_.add();
      maybe_applied |= last.lost->code == errc::deadline_exceeded;
      const bool patient = steady::now() - first_try < settings_.patience;
      if (!maybe_applied && (!patient || stopping_)) {
        b.fail(redis_down);
        co_return;
      }
      co_await settle(std::move(last));
    } else if (last.reply && is_due && (*last.reply)[0].as_string() == "amend") {
      co_await amend(b, *last.reply);
      request = {};
      maybe_applied = false;
    } else if (last.reply && is_due && (*last.reply)[0].as_string() == "full") {
      b.fail(too_much_pending);
      co_return;
    } else if (last.reply && is_due) {
      const auto found = parse_integer((*last.reply)[1].as_string()).value_or(0);
      if (std::cmp_greater(found, committed_))
        throw failure(errc::internal, "the store has commits that were never confirmed");
      const bool redone = co_await redo(static_cast<std::uint64_t>(found));
      if (!redone) {
        b.fail(maybe_applied ? maybe_done : redis_down);
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
  refusals_ = 0;
  if (caught_up_ != last.connection) marks_.clear();
  caught_up_ = last.connection;
  last_commit_at_ = steady::now();
  redo_.push(committed_, std::move(request), last_commit_at_);
  note_held();
}

amendment committer::read_amendment(const redis::value& reply) {
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
  co_await restore(changes);
  for (const auto& key : changes.damaged_keys) damaged_.report(keys_.key(key));
  const auto before = b.event_count();
  b.amend(changes);
  rejected_.add(before - b.event_count());
}

// Players may be missing only because Redis was emptied: those with a profile get their live state
// back. Leaves in `changes` those that nobody knows.
awaitable<void> committer::restore(amendment& changes) {
  std::vector<std::string> unknown(changes.unknown_players.begin(), changes.unknown_players.end());
  if (!unknown.empty()) unknown = co_await settings_.restore_players(std::move(unknown));
  changes.unknown_players = {unknown.begin(), unknown.end()};
  std::vector<std::string> levels(changes.unknown_levels.begin(), changes.unknown_levels.end());
  if (!levels.empty()) levels = co_await settings_.restore_levels(std::move(levels));
  changes.unknown_levels = {levels.begin(), levels.end()};
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
// A server that is there and refuses (it is full, or misses replicas) is given time.
awaitable<void> committer::settle(attempt lost) {
  const bool is_refused = lost.lost && lost.lost->code != errc::deadline_exceeded &&
                          lost.connection != 0 && lost.connection == redis_.connection();
  auto time = 50ms;
  if (is_refused) {
    time = redis::backoff(refusals_++);
  } else {
    try {
      const auto work = [this, number = lost.connection] { return kill_when_connected(number); };
      co_await on_redis(work);
      co_return;
    } catch (const failure&) {
    }
  }
  co_await pause(time);
}

awaitable<bool> committer::kill_when_connected(std::uint64_t lost) {
  co_await redis_.wait_connected(500ms);
  co_await redis_.kill_connection(lost);
  co_return true;
}

// The gauge is the sum of all threads.
void committer::note_held() {
  const auto now = static_cast<std::int64_t>(redo_.bytes());
  held_bytes_.add(now - std::exchange(held_noted_, now));
}

void committer::start_anew() {
  writer_ = random_hex(8);
  ++era_;
  committed_ = 0;
  lost_through_ = 0;
  caught_up_ = 0;
  redo_.clear();
  marks_.clear();
  note_held();
}

}  // namespace skirmish::interactions
