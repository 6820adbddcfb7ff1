// What becomes of commits after they were confirmed: they are kept until they are safe, and sent
// again to a Redis that lacks them.
#include "core/log.hpp"
#include "core/parse.hpp"
#include "interactions/committer.hpp"
#include "interactions/interactions_keys.hpp"
#include "redis/backoff.hpp"

#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <utility>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto durability_pulse = 50ms;
// How long a held commit waits for frames of its streams that went through another writer, which
// has to send them again too.
constexpr auto order_patience = 2s;

}  // namespace

// Redis is behind what it has confirmed: it was killed before it had written that to its file, or
// another server took over before it had received it. Sends all of it again that is still known,
// also behind a gap. False when that was not finished, because of stop().
awaitable<bool> committer::redo(std::uint64_t found) {
  if (found == committed_) co_return true;  // the one before failed, and its number is free
  caught_up_ = 0;
  marks_.clear();
  // The key of a writer that was idle for a day has run out: nothing is lost.
  const bool has_expired = found == 0 && redo_.empty() &&
                           steady::now() - last_commit_at_ > commit_ttl - std::chrono::hours(1);
  if (!has_expired) log::warn("redis_lost_commits", {{"confirmed", committed_}, {"found", found}});
  auto in_order_until = steady::now() + order_patience;
  for (auto number = found + 1; number <= committed_;) {
    if (stopping_) co_return false;
    const auto* oldest = redo_.oldest();
    const auto first = oldest ? oldest->number : committed_ + 1;
    if (first > number) {
      const bool skipped = co_await skip_to(first - 1);
      if (!skipped) continue;
      in_order_until = steady::now();
      if (!has_expired) count_lost(number, first - 1);
      number = first;
    } else {
      number = co_await redo_one(number, in_order_until);
    }
  }
  co_return true;
}

// Sends the held commit of that number again; from `in_order_until` on also behind a hole in its
// streams. Returns the number to go on with.
awaitable<std::uint64_t> committer::redo_one(std::uint64_t number,
                                             steady::time_point in_order_until) {
  std::string problem;
  for (bool is_restored = false; !stopping_;) {
    const bool is_in_order = steady::now() < in_order_until;
    auto request = redo_.find(number)->request;
    request.mark_as_redo(!is_in_order);
    auto again = co_await send(request, number);
    if (again.lost && again.lost->code != errc::internal) {
      co_await settle(std::move(again));
      co_return number;
    }
    problem = again.lost ? again.lost->message : again.reply->to_text();
    if (again.lost) break;
    const auto& answer = (*again.reply)[0].as_string();
    if (answer == "gap") {  // Redis has lost it again
      const auto found = parse_integer((*again.reply)[1].as_string()).value_or(0);
      co_return static_cast<std::uint64_t>(found) + 1;
    }
    if (answer == "ok") {
      redone_.add();
      redo_.renew(number, steady::now());
      co_return number + 1;
    }
    auto changes = read_amendment(*again.reply);
    if (is_in_order && !changes.streams.empty()) {
      co_await pause(durability_pulse);
      continue;
    }
    if (is_restored) break;
    co_await restore(changes);
    is_restored = true;
  }
  if (stopping_) co_return number;
  // It does not fit any more: its frames came by another way, or depend on what is lost.
  log::error("commit_not_redone", {{"number", number}, {"reply", problem}});
  const bool skipped = co_await skip_to(number);
  if (!skipped) co_return number;
  count_lost(number, number);
  co_return number + 1;
}

// Makes `number` the last commit that Redis knows of this writer, so that the next one is taken.
awaitable<bool> committer::skip_to(std::uint64_t number) {
  const auto record = std::to_string(number) + " [\"ok\"]\n[\"ok\"]";
  attempt set;
  const auto work = [this, &record, &set, key = commit_key(keys_, writer_)]() -> awaitable<bool> {
    redis::request one;
    one.push("SET", key, record, "EX", commit_ttl.count());
    redis::exec_options options;
    options.sent_on = &set.connection;
    redis::checked(co_await redis_.exec(std::move(one), options));
    co_return true;
  };
  try {
    co_await on_redis(work);
    co_return true;
  } catch (const failure& e) {
    set.lost = error{e.code(), e.what()};
  }
  co_await settle(std::move(set));
  co_return false;
}

void committer::count_lost(std::uint64_t first, std::uint64_t last) {
  first = std::max(first, lost_through_ + 1);
  if (first > last) return;
  log::error("commit_gap", {{"confirmed", committed_}, {"lost_from", first}, {"lost_to", last}});
  lost_.add(last - first + 1);
  lost_through_ = last;
}

awaitable<void> committer::catch_up() {
  if (redo_.empty() || caught_up_ == redis_.connection()) co_return;
  const turn mine(*this);
  troubled_ = true;
  co_await wait_turn(mine.ticket());
  if (caught_up_ == redis_.connection()) co_return;
  const auto key = commit_key(keys_, writer_);
  const auto look = [this, &key] { return redis_.command("GET", key); };
  const auto reply = redis::checked(co_await on_redis(look));
  const auto& text = reply.as_string();
  const auto found = parse_integer(text.substr(0, text.find(' '))).value_or(0);
  if (static_cast<std::uint64_t>(found) < committed_) {
    const bool redone = co_await redo(static_cast<std::uint64_t>(found));
    if (!redone) co_return;
  }
  // A write, so that WAIT on this connection waits for everything before it.
  std::uint64_t connection = 0;
  const auto write = [this, &key, &connection]() -> awaitable<bool> {
    redis::request one;
    one.push("EXPIRE", key, commit_ttl.count());
    redis::exec_options options;
    options.sent_on = &connection;
    const auto replies = redis::checked(co_await redis_.exec(std::move(one), options));
    co_return replies.at(0).as_bool();
  };
  const bool is_there = co_await on_redis(write);
  if (!is_there) co_return;
  marks_.clear();
  caught_up_ = connection;
}

awaitable<void> committer::watch_durability() {
  unsigned failures = 0;
  while (!stopping_) {
    std::chrono::milliseconds time = durability_pulse;
    if (failures > 0) time = redis::backoff(failures - 1);
    pulse_.expires_after(time);
    error_code ignored;
    co_await pulse_.async_wait(asio::redirect_error(use_awaitable, ignored));
    const auto connection = redis_.connection();
    if (stopping_ || redo_.empty() || connection == 0) continue;
    try {
      if (caught_up_ == connection)
        co_await release_what_is_safe(connection);
      else
        co_await catch_up();
      failures = 0;
    } catch (const failure&) {
      ++failures;
    }
  }
}

awaitable<void> committer::pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(io_, time);
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(use_awaitable, ignored));
}

awaitable<void> committer::release_what_is_safe(std::uint64_t connection) {
  const auto safe = co_await ask_what_is_safe(connection);
  // Redis was found to be behind meanwhile.
  if (caught_up_ != connection) co_return;
  const auto* oldest = redo_.oldest();
  if (!oldest || oldest->number > safe) co_return;
  safe_after_.observe(std::chrono::duration<double>(steady::now() - oldest->kept_at).count());
  redo_.release(safe);
  note_held();
  turn_.cancel();
}

// The number up to which commits are written by Redis and held by the replicas; 0 when that is not
// known. WAIT makes the master ask its replicas what they have; while they are further behind than
// that, their offsets say up to where.
awaitable<std::uint64_t> committer::ask_what_is_safe(std::uint64_t connection) {
  const auto mark = committed_;
  const auto wanted = settings_.replicas_acked;
  std::uint64_t sent_on = 0;
  const auto ask = [this, wanted, &sent_on]() -> awaitable<std::vector<redis::value>> {
    redis::request questions;
    if (wanted > 0) questions.push("WAIT", wanted, 1);
    questions.push("INFO", "persistence");
    if (wanted > 0) questions.push("INFO", "replication");
    redis::exec_options options;
    options.sent_on = &sent_on;
    co_return co_await redis_.exec(std::move(questions), options);
  };
  const auto replies = co_await on_redis(ask);
  if (sent_on != connection) co_return 0;
  const auto& persistence = replies.at(wanted > 0 ? 1 : 0);
  // A server that does not tell is taken at its word.
  const bool is_written = persistence.is_error() || says_written(persistence.as_string());
  if (wanted == 0) co_return is_written ? mark : 0;
  std::uint64_t replicated = 0;
  if (const auto state = read_replication(replies.at(2).as_string()))
    replicated = marks_.note(mark, *state, wanted);
  const auto count = replies.at(0).as_integer().value_or(0);
  if (!replies.at(0).is_error() && std::cmp_greater_equal(count, wanted)) replicated = mark;
  if (is_written) co_return replicated;
  co_return 0;
}

}  // namespace skirmish::interactions
