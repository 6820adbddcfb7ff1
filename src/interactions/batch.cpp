#include "interactions/batch.hpp"

#include "core/log.hpp"
#include "core/message_of.hpp"
#include "interactions/batch_fold.hpp"
#include "interactions/interactions_keys.hpp"
#include "leaderboards/leaderboards.hpp"
#include "players/players.hpp"
#include "redis/damaged_keys.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skirmish::interactions {
namespace {

// The frames of one stream in a batch: their first, and the last one's number. A list, so that the
// arguments of a batch do not depend on a hash.
using stream_spans = std::vector<std::pair<const stream_position*, std::uint64_t>>;

const event_key* key_of(const event& e) {
  const auto* a = std::get_if<attack>(&e);
  return a && !a->key.name.empty() ? &a->key : nullptr;
}

// The first of the event's players that `is_unknown` names, or nothing.
template <class Test>
const std::string* unknown_player(const event& e, Test&& is_unknown) {
  if (const auto* a = std::get_if<attack>(&e)) {
    if (is_unknown(a->attacker_id)) return &a->attacker_id;
    return is_unknown(a->target_id) ? &a->target_id : nullptr;
  }
  if (const auto* t = std::get_if<trade>(&e)) {
    if (is_unknown(t->from)) return &t->from;
    return is_unknown(t->to) ? &t->to : nullptr;
  }
  const auto* id = std::visit(
      [](const auto& x) -> const std::string* {
        if constexpr (requires { x.player_id; }) return &x.player_id;
        return nullptr;
      },
      e);
  return id && is_unknown(*id) ? id : nullptr;
}

// The first of the keys that the event needs, without the world's prefix, that is damaged.
std::optional<std::string> damaged_key_of(const event& e, const std::set<std::string>& damaged) {
  const redis::key_space no_world;
  if (damaged.empty()) return std::nullopt;
  const auto* who = unknown_player(
      e, [&](const std::string& id) { return damaged.contains(players::state_key(no_world, id)); });
  if (who) return players::state_key(no_world, *who);
  std::vector<std::string> boards;
  if (const auto* s = std::get_if<score>(&e)) boards = {s->board};
  if (const auto* level = level_of(e)) boards = {"level:" + *level, "global"};
  for (const auto& board : boards) {
    auto key = leaderboards::board_key(no_world, board);
    if (damaged.contains(key)) return key;
  }
  return std::nullopt;
}

outcome refused(error why) { return {0, {}, std::move(why), false}; }

outcome taken_over() {
  auto out = refused({errc::conflict, "another connection writes this stream now"});
  out.taken_over = true;
  return out;
}

// Once for each frame. A caller that fails on its answer must not take the others' from them.
void answer(frame& f, outcome with) noexcept {
  const auto done = std::exchange(f.done, nullptr);
  if (!done) return;
  try {
    done(std::move(with));
  } catch (...) {
    log::error("answer_failed", {{"error", message_of(std::current_exception())}});
  }
}

}  // namespace

batch::batch(std::vector<frame> frames) : frames_(std::move(frames)) {
  stream_count_ = put_streams_in_order();
  std::erase_if(frames_, [](const frame& f) { return !f.done; });
  std::map<std::string, std::string> digests;  // by the events' names
  take_out([&](frame&, const event& e) -> std::optional<error> {
    const auto* key = key_of(e);
    if (!key) return std::nullopt;
    const auto [known, fresh] = digests.try_emplace(key->name, key->digest);
    if (fresh) return std::nullopt;
    return known->second == key->digest ? error{} : id_is_taken;
  });
  answer_empty();
}

std::size_t batch::put_streams_in_order() {
  struct place {
    std::uint64_t seq;
    std::int64_t claim;
  };
  std::map<std::string, place> last;  // of each stream in this batch
  bool has_takeovers = false;
  for (auto& f : frames_) {
    if (!f.position) continue;
    const auto& at = *f.position;
    const auto [found, fresh] = last.try_emplace(at.stream_id, place{at.seq, at.claim});
    auto& before = found->second;
    if (fresh) continue;
    if (at.claim != before.claim) {
      has_takeovers = true;
      if (at.claim > before.claim) before = {at.seq, at.claim};
    } else if (at.seq <= before.seq) {
      f.duplicate = true;
      f.events.clear();
      f.indices.clear();
    } else if (at.base() != before.seq) {
      answer(f, refused({errc::conflict, fmt::format("frame {} is due", before.seq + 1)}));
    } else {
      before.seq = at.seq;
    }
  }
  if (has_takeovers)
    for (auto& f : frames_)
      if (f.position && f.position->claim < last.at(f.position->stream_id).claim)
        answer(f, taken_over());
  return last.size();
}

template <class Test>
void batch::take_out(Test&& test) {
  for (auto& f : frames_) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < f.events.size(); ++i) {
      auto why = test(f, f.events[i]);
      if (why && why->message.empty()) {
        ++f.repeated;
      } else if (why) {
        f.rejected.push_back({f.indices[i], std::move(*why)});
      } else {
        if (kept != i) {
          f.events[kept] = std::move(f.events[i]);
          f.indices[kept] = f.indices[i];
        }
        ++kept;
      }
    }
    f.events.resize(kept);
    f.indices.resize(kept);
  }
}

// A frame without a place in a stream and without events has nothing to wait for.
void batch::answer_empty() {
  for (auto& f : frames_) {
    if (f.position || !f.events.empty()) continue;
    answer(f, {f.repeated, std::move(f.rejected), {}, false, f.repeated});
  }
  std::erase_if(frames_, [](const frame& f) { return !f.done; });
}

void batch::amend(const amendment& a) {
  auto reached = a.streams;  // the last number that is committed, or will be with this batch
  for (auto& f : frames_) {
    if (!f.position) continue;
    if (a.taken_streams.contains(f.position->stream_id)) {
      answer(f, taken_over());
      continue;
    }
    if (!reached.contains(f.position->stream_id)) continue;
    auto& last = reached[f.position->stream_id];
    if (f.position->seq > last && f.position->base() == last && !f.duplicate) {
      last = f.position->seq;
      continue;
    }
    outcome out;
    out.duplicate = f.position->seq <= last;
    if (!out.duplicate)
      out.failed = error{errc::conflict, fmt::format("frame {} is due", last + 1)};
    answer(f, std::move(out));
  }
  std::erase_if(frames_, [](const frame& f) { return !f.done; });
  take_out([&](frame&, const event& e) -> std::optional<error> {
    const auto* key = key_of(e);
    if (key && a.seen_ids.contains(key->name)) return error{};
    if (key && a.claimed_ids.contains(key->name)) return id_is_taken;
    const auto* who =
        unknown_player(e, [&](const std::string& p) { return a.unknown_players.contains(p); });
    if (who) return error{errc::not_found, "there is no player " + *who};
    const auto* level = level_of(e);
    if (level && a.unknown_levels.contains(*level))
      return error{errc::not_found, "there is no level " + *level};
    const auto damaged = damaged_key_of(e, a.damaged_keys);
    if (damaged) return redis::damaged_key(*damaged);
    return std::nullopt;
  });
  answer_empty();
}

commit_request batch::request(const commit_settings& settings, timestamp now) {
  using namespace std::chrono;
  batch_fold all;
  stream_spans streams;
  boost::unordered_flat_map<std::string_view, std::size_t> index;  // stream → streams
  for (const auto& f : frames_) {
    if (f.position && !f.duplicate) {
      const auto& at = *f.position;
      const auto [found, fresh] = index.try_emplace(at.stream_id, streams.size());
      if (fresh) streams.emplace_back(&at, at.seq);
      streams[found->second].second = at.seq;
    }
    for (const auto& e : f.events) all.add(e);
  }
  packed_values body;
  body.add(static_cast<std::int64_t>(streams.size()));
  for (const auto& [first, last] : streams) {
    body.add(first->stream_id);
    body.add(fmt::format_int(first->base()).c_str());
    body.add(fmt::format_int(last).c_str());
    body.add(fmt::format_int(first->claim).c_str());
    body.add(first->owner);
  }
  body.add(static_cast<std::int64_t>(all.ids().size()));
  for (const auto* key : all.ids()) {
    body.add(key->name);
    body.add(key->digest);
  }
  std::vector<std::string> texts;
  fold_settings how{settings.actions_limit, now, {}};
  if (settings.leaves_pending) how.refreshes_profile = settings.refreshes_profile;
  all.append_to(body, texts, how);
  const auto slice = now.time_since_epoch() / settings.slice_length * settings.slice_length;
  commit_request out;
  out.arguments = {settings.prefix,
                   "",
                   to_rfc3339(now),
                   std::to_string(slice.count()),
                   std::to_string(settings.slice_length.count()),
                   std::to_string(commit_ttl.count()),
                   std::to_string(attack_ttl / 1ms),
                   std::to_string(players::profile_ttl.count()),
                   std::to_string(settings.actions_limit),
                   std::to_string(settings.log_limit),
                   std::to_string(now.time_since_epoch() / event_id_period),
                   std::to_string(settings.event_ids_limit),
                   std::to_string(all.event_count()),
                   settings.log_limit > 0 ? all.take_log() : std::string(),
                   std::to_string(now.time_since_epoch().count()),
                   std::to_string(settings.game.chat_history_limit),
                   std::to_string(settings.game.chat_history_ttl.count()),
                   settings.game.rules(),
                   settings.leaves_pending ? "1" : "0",
                   std::to_string(settings.attacks_pending_limit),
                   std::to_string(settings.activity_pending_limit),
                   "0",
                   body.take()};
  std::ranges::move(texts, std::back_inserter(out.arguments));
  score_entries_ = all.take_score_entries();
  return out;
}

void batch::take_back(const std::vector<verdict_on_event>& verdicts,
                      const std::set<std::size_t>& refused_scores) {
  if (verdicts.empty() && refused_scores.empty()) return;
  const std::map<std::size_t, error> by_number(verdicts.begin(), verdicts.end());
  std::size_t number = 0;
  std::size_t score_number = 0;
  take_out([&](frame&, const event& e) -> std::optional<error> {
    if (std::holds_alternative<score>(e)) {
      const auto entry = score_entries_.at(score_number++);
      return refused_scores.contains(entry) ? std::optional(score_out_of_range) : std::nullopt;
    }
    if (!is_game_event(e)) return std::nullopt;
    const auto found = by_number.find(++number);
    return found == by_number.end() ? std::nullopt : std::optional(found->second);
  });
}

void batch::succeed() {
  for (auto& f : frames_)
    answer(f, {f.events.size() + f.repeated, std::move(f.rejected), {}, f.duplicate, f.repeated});
  frames_.clear();
}

void batch::fail(const error& why) {
  for (auto& f : frames_) answer(f, refused(why));
  frames_.clear();
}

std::size_t batch::event_count() const noexcept {
  std::size_t count = 0;
  for (const auto& f : frames_) count += f.events.size();
  return count;
}

}  // namespace skirmish::interactions
