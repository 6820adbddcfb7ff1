#include "tasks/worker/cycle_connection.hpp"

#include "core/log.hpp"
#include "redis/backoff.hpp"
#include "redis/views.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker/unacked.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cmath>
#include <random>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

bool has_noscript(const std::vector<redis::value>& replies) {
  return std::any_of(replies.begin(), replies.end(), redis::is_noscript);
}

// What a server answers that will not write now: it is full, a replica, or misses its replicas.
// That command was not executed. Empty when there is none.
std::string refusal_in(const std::vector<redis::value>& replies) {
  for (const auto& reply : replies) {
    try {
      redis::checked(reply);
    } catch (const failure& e) {
      if (e.code() == errc::unavailable) return e.what();
    }
  }
  return {};
}

void report_retry(std::string_view problem) {
  log::repeated(log::level::warn, problem, "task_cycle_retried", {{"error", problem}});
}

// Positions of lost starts as flags.
std::vector<bool> flags_of(const redis::value& positions, std::size_t starts) {
  std::vector<bool> out(starts);
  for (const auto& position : positions.elements())
    if (const auto p = position.as_integer(); p && *p >= 0 && static_cast<std::size_t>(*p) < starts)
      out[static_cast<std::size_t>(*p)] = true;
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::size_t>> serving_order(const weighted_queues& queues,
                                                               bool strict, std::size_t want) {
  std::vector<std::pair<std::string, std::size_t>> out;
  if (strict || queues.size() == 1) {
    for (const auto& [name, weight] : queues) out.emplace_back(name, worker_fetch_limit);
    return out;
  }
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_real_distribution<double> uniform(1e-9, 1.0);
  double total = 0;
  for (const auto& [name, weight] : queues) total += std::max(1, weight);
  // A heavier queue comes first more often (Efraimidis and Spirakis' weighted order).
  std::vector<std::pair<double, std::pair<std::string, std::size_t>>> drawn;
  for (const auto& [name, given] : queues) {
    const double weight = std::max(1, given);
    // Rounded at random, so that the average is exact also when few are wanted.
    const double share = static_cast<double>(want) * weight / total + uniform(random);
    drawn.emplace_back(-std::pow(uniform(random), 1.0 / weight),
                       std::pair{name, static_cast<std::size_t>(share)});
  }
  std::sort(drawn.begin(), drawn.end());
  for (auto& [key, one] : drawn) out.push_back(std::move(one));
  return out;
}

cycle_connection::cycle_connection(worker_context& context, handlers on)
    : context_(context),
      on_(std::move(on)),
      redis_(context.io, worker_connection(context.application.broker), "skirmish-worker"),
      tag_prefix_("skirmish:" + context.instance + ":") {
  redis::client::events events;
  events.on_connected = [this] {
    may_have_messages_ = true;
    context_.background.spawn("task_tracking", [this] { return enable_tracking(); });
  };
  events.on_push = [this](const redis::value& push) {
    if (push.size() < 2 || push[0].as_string() != "invalidate") return;
    may_have_messages_ = true;
    context_.wake.notify();
  };
  redis_.set_events(std::move(events));
}

awaitable<void> cycle_connection::run() { return redis_.run(); }

awaitable<void> cycle_connection::enable_tracking() {
  // A server that does not support tracking (a proxy) is polled once per second instead. What this
  // worker sends to its own queues must be reported, too: no NOLOOP.
  const auto reply = co_await redis_.command("CLIENT", "TRACKING", "ON", "OPTIN");
  if (reply.is_error()) log::warn("task_worker_polls", {{"error", reply.as_string()}});
  may_have_messages_ = true;
  context_.wake.notify();
}

redis::request cycle_connection::commands(const worker_cycle& cycle) const {
  const cycle_identity identity{context_.keys(), context_.running_key(), context_.worker_key(),
                                last_cycle_, context_.result_ttl_s()};
  return cycle_commands(cycle, identity, !context_.has_separate_results());
}

void cycle_connection::push_fetch(redis::request& to, std::size_t want) {
  const auto& config = context_.config;
  const auto& names = context_.keys();
  const auto order = serving_order(config.queues, config.strict_queues, want);
  std::vector<std::string> words{names.unacked(), names.unacked_index(), names.own("paused"),
                                 names.own("fetched")};
  fetch_queues_.clear();
  for (const int step : priority_steps)
    for (const auto& [name, share] : order) {
      words.push_back(names.queue(name, step));
      fetch_queues_.push_back(name);
    }
  const auto keys_count = words.size();
  words.insert(words.end(), {std::to_string(want), tag_prefix_, std::to_string(last_tag_),
                             std::to_string(order.size())});
  for (const auto& [name, share] : order) words.push_back(std::to_string(share));
  for (const auto& name : fetch_queues_) {
    std::string quoted;
    append_json_string(quoted, name);
    words.push_back(std::move(quoted));
  }
  const auto views = redis::views(words);
  const std::span<const std::string_view> all(views);
  // Tracking is opted into for this fetch alone, so only the lists found empty are watched. Without
  // tracking this is an error reply, which is ignored.
  to.push("CLIENT", "CACHING", "YES");
  redis::push_evalsha(to, scripts::fetch, all.first(keys_count), all.subspan(keys_count));
}

void cycle_connection::accept(const reply& answer) {
  const auto& found = answer.fetched.elements();
  std::size_t count = 0;
  for (std::size_t i = 0; i + 2 < found.size(); i += 3) {
    const auto position = static_cast<std::size_t>(found[i].as_integer().value_or(0));
    auto number = static_cast<std::uint64_t>(found[i + 2].as_integer().value_or(0));
    for (const auto& envelope : found[i + 1].elements()) {
      on_.on_message(envelope.as_string(), tag_prefix_ + std::to_string(number),
                     fetch_queues_.at(position));
      ++number;
      ++count;
    }
  }
  context_.metrics.fetched(count);
  // Fewer than asked for means that the lists were empty, and that tracking will report when they
  // are not.
  if (answer.wanted > 0 && count >= answer.wanted) may_have_messages_ = true;
}

awaitable<void> cycle_connection::load_scripts(redis::client& at) {
  redis::request load;
  for (const auto* code :
       {&scripts::fetch, &scripts::worker_cycle, &scripts::put_back, &scripts::chord_part})
    load.push("SCRIPT", "LOAD", code->source());
  redis::checked(co_await at.exec(std::move(load)));
}

// Waits for a new connection after a lost reply, and makes sure that nothing sent on the lost one
// is still to be executed.
awaitable<void> cycle_connection::replace_connection(std::uint64_t lost) {
  while (true) {
    try {
      co_await redis_.wait_connected(1s);
      co_await redis_.kill_connection(lost);
      co_return;
    } catch (const failure&) {
      if (gives_up_) throw;
    }
  }
}

// For a server that is there and will not write now.
awaitable<void> cycle_connection::back_off(std::string problem, unsigned failed_attempts) {
  report_retry(problem);
  if (gives_up_) throw failure(errc::unavailable, problem);
  asio::steady_timer pause(context_.io, redis::backoff(failed_attempts));
  co_await pause.async_wait(use_awaitable);
}

awaitable<cycle_connection::reply> cycle_connection::send(const worker_cycle& cycle,
                                                          std::size_t want) {
  context_.metrics.cycle();
  if (context_.has_separate_results()) co_await send_results(cycle);
  ++last_cycle_;
  auto pipeline = commands(cycle);
  const auto writes = pipeline.get_commands();
  auto replies = co_await exec_once(cycle, std::move(pipeline), want);
  reply out;
  if (replies.size() > writes) out.fetched = std::move(replies.back());
  replies.resize(writes);
  replies = redis::checked(std::move(replies));
  std::size_t parts = 0;
  if (!context_.has_separate_results()) {
    report_chords(cycle.chord_parts, replies);
    parts = cycle.chord_parts.size();
  }
  out.lost = flags_of(replies.at(parts), cycle.starts());
  out.wanted = want;
  co_return out;
}

// Sends the cycle and the fetch until they are answered. The replies end with that of the fetch,
// unless what it took was accepted here.
awaitable<std::vector<redis::value>> cycle_connection::exec_once(const worker_cycle& cycle,
                                                                 redis::request pipeline,
                                                                 std::size_t want) {
  const auto first_tag = last_tag_;
  // Tags are never used twice, whatever becomes of this fetch.
  if (want > 0) {
    may_have_messages_ = false;
    push_fetch(pipeline, want);
    last_tag_ += want;
  }
  std::vector<redis::value> replies;
  bool fetched = want == 0;
  for (unsigned refusals = 0;;) {
    std::uint64_t connection = 0;
    redis::exec_options options;
    options.sent_on = &connection;
    bool lost = false;
    try {
      replies = co_await redis_.exec(pipeline, options);
    } catch (const failure& e) {
      report_retry(e.what());
      lost = true;
    }
    if (lost) {
      co_await replace_connection(connection);
      if (fetched) continue;
      co_await reclaim(first_tag, want);
      may_have_messages_ = true;
    } else {
      auto refusal = refusal_in(replies);
      if (refusal.empty() && !has_noscript(replies)) co_return replies;
      if (refusal.empty())
        co_await load_scripts(redis_);
      else
        co_await back_off(std::move(refusal), refusals++);
      if (fetched || replies.back().is_error()) continue;
      accept({{}, replies.back(), want});
    }
    fetched = true;
    pipeline = commands(cycle);
  }
}

// Results (and chords) that are kept in another Redis are written before the acknowledgement.
awaitable<void> cycle_connection::send_results(const worker_cycle& cycle) {
  if (cycle.results.empty() && cycle.chord_parts.empty()) co_return;
  auto& results = context_.results();
  while (true) {
    bool again = false;
    try {
      co_await results.wait_connected(1s);
      redis::request writes;
      push_chord_parts(writes, context_.keys(), context_.chord_ttl_s(), cycle.chord_parts);
      push_results(writes, cycle, context_.result_ttl_s());
      const auto replies = co_await results.exec(std::move(writes));
      again = has_noscript(replies);
      if (again)
        co_await load_scripts(results);
      else
        report_chords(cycle.chord_parts, replies);
    } catch (const failure& e) {
      log::repeated(log::level::warn, e.what(), "task_results_retried", {{"error", e.what()}});
      // Nothing is acknowledged without its result: another worker recovers it.
      if (gives_up_) throw;
      again = true;
    }
    if (!again) co_return;
  }
}

void cycle_connection::report_chords(const std::vector<chord_part>& parts,
                                     const std::vector<redis::value>& replies) const {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& all = redis::checked(replies.at(i));
    if (all.size() > 0) on_.on_chord_complete(parts[i], all.as_strings());
  }
}

// Finds what an unanswered fetch took: its messages stand under tags that it was given.
awaitable<void> cycle_connection::reclaim(std::uint64_t after_tag, std::size_t count) {
  std::vector<std::string> tags;
  for (std::size_t i = 1; i <= count; ++i)
    tags.push_back(tag_prefix_ + std::to_string(after_tag + i));
  redis::value held;
  for (bool is_read = false; !is_read;) {
    try {
      co_await redis_.wait_connected(1s);
      redis::request ask;
      ask.push_range("HMGET", context_.keys().unacked(), tags);
      auto replies = redis::checked(co_await redis_.exec(std::move(ask)));
      held = std::move(replies.at(0));
      is_read = true;
    } catch (const failure& e) {
      if (gives_up_ || e.code() == errc::internal) throw;
      report_retry(e.what());
    }
  }
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (held[i].is_nil()) continue;
    if (auto found = read_held(held[i].as_string()))
      on_.on_message(std::move(found->envelope), std::move(tags[i]), std::move(found->queue));
  }
}

}  // namespace skirmish::tasks
