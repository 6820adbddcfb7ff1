#include "interactions/batch.hpp"

#include "interactions/interactions_keys.hpp"
#include "players/players_keys.hpp"
#include "positions/cell.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;

// One player's share of a batch, in the order of its events.
struct player_change {
  std::int64_t activity = 0;
  std::int64_t dealt = 0;
  std::string_view interaction;
  std::string target;
  const move* last_move = nullptr;
  std::vector<const event*> actions;
  std::vector<std::pair<std::int64_t, std::string>>
      ops;  // amount and attacker; no attacker: hp becomes amount
};

struct score_change {
  const score* what;
  std::int64_t value;
};

// Insertion-ordered: the arguments of a batch do not depend on the hash.
template <class Value>
class ordered_map {
 public:
  Value& operator[](const std::string& key) {
    const auto [found, fresh] = index_.try_emplace(key, items_.size());
    if (fresh) items_.emplace_back(key, Value{});
    return items_[found->second].second;
  }
  [[nodiscard]] const auto& items() const noexcept { return items_; }

 private:
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::pair<std::string, Value>> items_;
};

struct folded {
  ordered_map<player_change> players;
  ordered_map<const attack*> pairs;
  std::vector<score_change> scores;
  ordered_map<std::size_t> last_score;  // board and player → index in scores
  std::vector<const std::string*> ids;
  std::string log;
  std::size_t event_count = 0;
  game_fold game;

  void add(const attack& a, const event& e) {
    auto& attacker = players[a.attacker_id];
    ++attacker.activity;
    attacker.dealt += a.damage;
    attacker.interaction = "attack";
    attacker.target = a.target_id;
    attacker.actions.push_back(&e);
    game.acted(a.attacker_id);
    players[a.target_id].ops.emplace_back(a.damage, a.attacker_id);
    pairs[a.attacker_id + ' ' + a.target_id] = &a;
    if (!a.id.empty()) ids.push_back(&a.id);
  }

  void add(const move& m, const event& e) {
    auto& p = players[m.player_id];
    ++p.activity;
    p.interaction = "move";
    p.last_move = &m;
    p.actions.push_back(&e);
    game.acted(m.player_id);
  }

  void add(const respawn& r, const event&) { players[r.player_id].ops.emplace_back(r.hp, ""); }

  void add(const item& i, const event&) {
    players[i.player_id];
    game.add(i);
  }

  void add(const completion& c, const event&) {
    players[c.player_id];
    game.add(c);
  }

  void add(const trade& t, const event& e) {
    players[t.from];
    players[t.to];
    game.add(t, to_json_line(e));
  }

  void add(const chat& c, const event&) { game.add(c); }

  void add(const score& s, const event&) {
    players[s.player_id];
    const auto key = s.board + ' ' + s.player_id;
    auto& last = last_score[key];
    const bool joins = last != 0 && s.op == score_operator::increment &&
                       scores[last - 1].what->op == score_operator::increment;
    if (joins) {
      scores[last - 1].value += s.value;
    } else {
      scores.push_back({&s, s.value});
      last = scores.size();
    }
  }
};

std::string_view word(score_operator op) {
  switch (op) {
    case score_operator::best: return "best";
    case score_operator::set: return "set";
    case score_operator::increment: return "increment";
  }
  return "increment";
}

std::string move_text(const move& m) {
  const auto ttl_ms = std::chrono::duration_cast<std::chrono::milliseconds>(m.ttl).count();
  return fmt::format("{:.7f} {:.7f} {:.2f} {} {} {}", m.lat, m.lon, m.alt, to_rfc3339(m.ts), ttl_ms,
                     positions::cell_of({m.lat, m.lon}));
}

void append_players(std::vector<std::string>& out, const folded& all, std::int64_t actions_limit) {
  out.push_back(std::to_string(all.players.items().size()));
  for (const auto& [id, p] : all.players.items()) {
    out.push_back(id);
    out.push_back(std::to_string(p.activity));
    out.push_back(std::to_string(p.dealt));
    out.emplace_back(p.interaction);
    out.push_back(p.target);
    out.push_back(p.last_move ? move_text(*p.last_move) : std::string());
    const auto kept = std::min(p.actions.size(), static_cast<std::size_t>(actions_limit));
    out.push_back(std::to_string(kept));
    for (auto i = p.actions.size() - kept; i < p.actions.size(); ++i)
      out.push_back(to_json_line(*p.actions[i]));
    out.push_back(std::to_string(p.ops.size()));
    for (const auto& [amount, attacker] : p.ops) {
      out.push_back(std::to_string(amount));
      out.push_back(attacker);
    }
  }
}

const std::string* id_of(const event& e) {
  const auto* a = std::get_if<attack>(&e);
  return a && !a->id.empty() ? &a->id : nullptr;
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

}  // namespace

std::string to_json_line(const event& e) {
  struct visitor {
    json::object operator()(const attack& a) const {
      json::object o{{"type", "attack"},
                     {"attacker_id", a.attacker_id},
                     {"target_id", a.target_id},
                     {"damage", a.damage}};
      if (!a.id.empty()) o["id"] = a.id;
      if (!a.weapon.empty()) o["weapon"] = a.weapon;
      o["ts"] = to_rfc3339(a.ts);
      return o;
    }
    json::object operator()(const move& m) const {
      return {{"type", "move"}, {"player_id", m.player_id}, {"lat", m.lat}, {"lon", m.lon},
              {"alt", m.alt},   {"ts", to_rfc3339(m.ts)}};
    }
    json::object operator()(const respawn& r) const {
      return {{"type", "respawn"}, {"player_id", r.player_id}, {"hp", r.hp}};
    }
    json::object operator()(const score& s) const {
      return {{"type", "score"},
              {"board", s.board},
              {"player_id", s.player_id},
              {"value", s.value},
              {"operator", word(s.op)}};
    }
    json::object operator()(const item& i) const {
      return {
          {"type", "item"}, {"player_id", i.player_id}, {"item", i.name}, {"quantity", i.quantity}};
    }
    json::object operator()(const completion& c) const {
      json::object o{{"type", "completion"},
                     {"level_id", c.level_id},
                     {"player_id", c.player_id},
                     {"score", c.score}};
      if (!c.id.empty()) o["completion_id"] = c.id;
      return o;
    }
    json::object operator()(const trade& t) const {
      const auto object_of = [](const goods& all) {
        json::object o;
        for (const auto& [name, quantity] : all) o[name] = quantity;
        return o;
      };
      json::object o{{"type", "trade"},
                     {"from", t.from},
                     {"to", t.to},
                     {"give", object_of(t.give)},
                     {"take", object_of(t.take)}};
      if (!t.id.empty()) o["id"] = t.id;
      o["ts"] = to_rfc3339(t.ts);
      return o;
    }
    json::object operator()(const chat& c) const {
      return {{"type", "chat"},
              {"channel", c.channel},
              {"from", c.from},
              {"text", c.text},
              {"ts", to_rfc3339(c.ts)}};
    }
  };
  return json::serialize(std::visit(visitor{}, e));
}

batch::batch(std::vector<frame> frames) : frames_(std::move(frames)) {
  std::map<std::string, std::uint64_t> last;  // of each stream in this batch
  std::set<std::string> ids;
  for (auto& f : frames_) {
    if (f.position) {
      const auto [found, fresh] = last.try_emplace(f.position->stream_id, f.position->seq);
      if (!fresh && f.position->seq <= found->second) {
        f.duplicate = true;
        f.events.clear();
        f.indices.clear();
      } else if (!fresh && f.position->seq != found->second + 1) {
        f.done({0,
                {},
                error{errc::conflict, fmt::format("frame {} is due", found->second + 1)},
                false});
        f.done = nullptr;
        continue;
      } else {
        found->second = f.position->seq;
      }
    }
  }
  std::erase_if(frames_, [](const frame& f) { return !f.done; });
  take_out([&](frame&, const event& e) -> std::optional<error> {
    const auto* id = id_of(e);
    if (id && !ids.insert(*id).second) return error{};
    return std::nullopt;
  });
  answer_empty();
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
    f.done({f.repeated, std::move(f.rejected), {}, false, f.repeated});
    f.done = nullptr;
  }
  std::erase_if(frames_, [](const frame& f) { return !f.done; });
}

void batch::amend(const amendment& a) {
  auto due = a.streams;
  for (auto& [id, committed] : due) ++committed;
  for (auto& f : frames_) {
    if (!f.position || !due.contains(f.position->stream_id)) continue;
    auto& expected = due[f.position->stream_id];
    if (f.position->seq == expected && !f.duplicate) {
      ++expected;
      continue;
    }
    outcome out;
    out.duplicate = f.position->seq < expected;
    if (!out.duplicate)
      out.failed = error{errc::conflict, fmt::format("frame {} is due", expected)};
    f.done(std::move(out));
    f.done = nullptr;
  }
  std::erase_if(frames_, [](const frame& f) { return !f.done; });
  take_out([&](frame&, const event& e) -> std::optional<error> {
    const auto* id = id_of(e);
    if (id && a.seen_ids.contains(*id)) return error{};
    const auto* who =
        unknown_player(e, [&](const std::string& p) { return a.unknown_players.contains(p); });
    if (who) return error{errc::not_found, "there is no player " + *who};
    const auto* level = level_of(e);
    if (level && a.unknown_levels.contains(*level))
      return error{errc::not_found, "there is no level " + *level};
    return std::nullopt;
  });
  answer_empty();
}

std::vector<std::string> batch::arguments(const commit_settings& settings, std::uint64_t number,
                                          timestamp now) const {
  using namespace std::chrono;
  folded all;
  ordered_map<std::pair<std::uint64_t, std::uint64_t>> streams;  // base and last
  for (const auto& f : frames_) {
    if (f.position && !f.duplicate) {
      auto& [base, last] = streams[f.position->stream_id];
      if (last == 0) base = f.position->seq - 1;
      last = f.position->seq;
    }
    for (const auto& e : f.events) {
      std::visit([&](const auto& x) { all.add(x, e); }, e);
      if (settings.log_limit > 0) {
        all.log += to_json_line(e);
        all.log += '\n';
      }
      ++all.event_count;
    }
  }
  const auto slice = now.time_since_epoch() / settings.slice_length * settings.slice_length;
  std::vector<std::string> out{settings.prefix,
                               std::to_string(number),
                               to_rfc3339(now),
                               std::to_string(slice.count()),
                               std::to_string(settings.slice_length.count()),
                               std::to_string(commit_ttl.count()),
                               std::to_string(attack_ttl.count()),
                               std::to_string(players::profile_ttl.count()),
                               std::to_string(settings.actions_limit),
                               std::to_string(settings.log_limit),
                               std::to_string(now.time_since_epoch() / event_id_period),
                               std::to_string(settings.event_ids_limit),
                               std::to_string(all.event_count),
                               std::move(all.log),
                               std::to_string(now.time_since_epoch().count()),
                               std::to_string(settings.game.chat_history_limit),
                               std::to_string(settings.game.chat_history_ttl.count()),
                               settings.game.achievement_rules};
  out.push_back(std::to_string(streams.items().size()));
  for (const auto& [id, s] : streams.items()) {
    out.push_back(id);
    out.push_back(std::to_string(s.first));
    out.push_back(std::to_string(s.second));
  }
  out.push_back(std::to_string(all.ids.size()));
  for (const auto* id : all.ids) out.push_back(*id);
  append_players(out, all, settings.actions_limit);
  const auto levels = all.game.levels();
  out.push_back(std::to_string(levels.size()));
  out.insert(out.end(), levels.begin(), levels.end());
  out.push_back(std::to_string(all.pairs.items().size()));
  for (const auto& [key, a] : all.pairs.items()) {
    out.push_back(a->attacker_id);
    out.push_back(a->target_id);
    out.push_back(a->id);
    out.push_back(std::to_string(a->damage));
    out.push_back(to_rfc3339(a->ts));
  }
  out.push_back(std::to_string(all.scores.size()));
  for (const auto& s : all.scores) {
    out.push_back(s.what->board);
    out.push_back(s.what->player_id);
    out.emplace_back(word(s.what->op));
    out.push_back(std::to_string(s.value));
  }
  all.game.append_to(out);
  return out;
}

void batch::take_back(const std::vector<verdict_on_event>& verdicts) {
  if (verdicts.empty()) return;
  const std::map<std::size_t, error> by_number(verdicts.begin(), verdicts.end());
  std::size_t number = 0;
  take_out([&](frame&, const event& e) -> std::optional<error> {
    if (!is_game_event(e)) return std::nullopt;
    const auto found = by_number.find(++number);
    return found == by_number.end() ? std::nullopt : std::optional(found->second);
  });
}

void batch::succeed() {
  for (auto& f : frames_)
    f.done({f.events.size() + f.repeated, std::move(f.rejected), {}, f.duplicate, f.repeated});
  frames_.clear();
}

void batch::fail(const error& why) {
  for (auto& f : frames_) f.done({0, {}, why, false});
  frames_.clear();
}

std::size_t batch::event_count() const noexcept {
  std::size_t count = 0;
  for (const auto& f : frames_) count += f.events.size();
  return count;
}

}  // namespace skirmish::interactions
