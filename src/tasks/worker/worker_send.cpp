// The turn's round trip: exactly once, whatever happens to the connection.
#include "core/log.hpp"
#include "redis/views.hpp"
#include "tasks/protocol/json_scan.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

// What recovery needs to tell the world that a task died with its worker; empty when nobody asks.
std::string running_record(const job& j) {
  const bool whole = has_dependants(j.m);
  if (!j.stores_result() && !whole) return {};
  std::string out = "{\"id\":";
  append_json_string(out, j.m.id);
  if (whole) {
    out += ",\"message\":";
    append_json_string(out, j.m.raw);
  }
  return out + "}";
}

}  // namespace

std::vector<std::pair<std::string, std::size_t>> serving_order(
    const std::vector<std::pair<std::string, int>>& queues, bool strict, std::size_t want) {
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
    // Rounded by chance, so that the average is exact also when few are wanted.
    const double share = static_cast<double>(want) * weight / total + uniform(random);
    drawn.emplace_back(-std::pow(uniform(random), 1.0 / weight),
                       std::pair{name, static_cast<std::size_t>(share)});
  }
  std::sort(drawn.begin(), drawn.end());
  for (auto& [key, one] : drawn) out.push_back(std::move(one));
  return out;
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
    j->noted = !numbers.back().empty();
  }
  number(t.late.size());
  for (const auto& j : t.late) {
    args.push_back(j->m.tag);
    j->noted = true;
  }
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
  const auto args = redis::views(t.put_back);
  redis::push_evalsha(to, scripts::put_back, keys, args);
}

redis::request worker::build_turn(const turn_request& t, bool with_results) const {
  redis::request out;
  if (with_results) push_chord_parts(out, t.chord_parts);
  push_turn(out, t);
  push_put_back(out, t);
  for (const auto& envelope : t.events)
    out.push("PUBLISH", app_.keys.event_channel("task.multi"), envelope);
  return out;
}

void worker::push_fetch(redis::request& to, std::size_t want) {
  const auto order = serving_order(config_.queues, config_.strict_queues, want);
  std::vector<std::string> words{app_.keys.unacked(), app_.keys.unacked_index(),
                                 app_.keys.own("paused")};
  fetch_queues_.clear();
  for (const int step : priority_steps)
    for (const auto& [name, share] : order) {
      words.push_back(app_.keys.queue(name, step));
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
  // Of all that is read, only the lists found empty are watched. Without tracking this is an error
  // that nobody reads.
  to.push("CLIENT", "CACHING", "YES");
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
      co_await data_.wait_connected(1s);
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
      co_await results_->wait_connected(1s);
      redis::request writes;
      push_chord_parts(writes, t.chord_parts);
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
      // Without its results nothing is acknowledged: another worker recovers it.
      if (cold_) throw;
      again = true;
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

}  // namespace skirmish::tasks
