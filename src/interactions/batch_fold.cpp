#include "interactions/batch_fold.hpp"

#include "interactions/activity_delta.hpp"
#include "interactions/interactions_keys.hpp"
#include "positions/positions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

namespace skirmish::interactions {
namespace {

// Increments beyond this stay apart: one that would leave the range of scores is refused alone.
constexpr std::int64_t joined_score_max = std::int64_t{1} << 32;

std::string move_text(const move& m) {
  const auto ttl_ms = std::chrono::duration_cast<std::chrono::milliseconds>(m.ttl).count();
  return fmt::format("{:.7f} {:.7f} {:.2f} {} {} {}", m.lat, m.lon, m.alt, to_rfc3339(m.ts), ttl_ms,
                     positions::cell_of({m.lat, m.lon}));
}

}  // namespace

std::uint32_t batch_fold::player(const std::string& id) {
  const auto [found, fresh] = index_.try_emplace(id, static_cast<std::uint32_t>(players_.size()));
  if (fresh) players_.push_back(player_change{.id = &id});
  return found->second;
}

void batch_fold::act(std::uint32_t who, std::string_view interaction) {
  auto& p = players_[who];
  ++p.activity;
  p.interaction = interaction;
  const auto place = static_cast<std::uint32_t>(actions_.size());
  actions_.push_back({line_start_, log_.size() - line_start_});
  (p.first_action == none ? p.first_action : actions_[p.last_action].next) = place;
  p.last_action = place;
  ++p.action_count;
  game_.acted(*p.id);
}

void batch_fold::add_op(std::uint32_t who, std::int64_t amount, const std::string* attacker) {
  auto& p = players_[who];
  const auto place = static_cast<std::uint32_t>(ops_.size());
  ops_.push_back({amount, attacker});
  (p.first_op == none ? p.first_op : ops_[p.last_op].next) = place;
  p.last_op = place;
  ++p.op_count;
}

void batch_fold::add_attack(const attack& a) {
  const auto attacker = player(a.attacker_id);
  const auto target = player(a.target_id);
  act(attacker, "attack");
  players_[attacker].dealt += a.damage;
  players_[attacker].target = a.target_id;
  add_op(target, a.damage, &a.attacker_id);
  const auto pair = std::uint64_t{attacker} << 32 | target;
  const auto [found, fresh] =
      pair_index_.try_emplace(pair, static_cast<std::uint32_t>(pairs_.size()));
  if (fresh)
    pairs_.push_back(&a);
  else
    pairs_[found->second] = &a;
  if (!a.key.name.empty()) ids_.push_back(&a.key);
}

void batch_fold::add_score(const score& s) {
  player(s.player_id);
  auto& last = last_score_[s.board + ' ' + s.player_id];
  // Both are at most score_max, so their sum is no overflow.
  const bool joins = last != 0 && s.op == score_operator::increment &&
                     scores_[last - 1].what->op == score_operator::increment &&
                     std::abs(scores_[last - 1].value + s.value) <= joined_score_max;
  if (joins) {
    scores_[last - 1].value += s.value;
  } else {
    scores_.push_back({&s, s.value});
    last = scores_.size();
  }
  score_entries_.push_back(last);
}

void batch_fold::add(const event& e) {
  line_start_ = log_.size();
  append_line(log_, e);
  ++event_count_;
  if (const auto* a = std::get_if<attack>(&e)) {
    add_attack(*a);
  } else if (const auto* m = std::get_if<move>(&e)) {
    const auto who = player(m->player_id);
    act(who, "move");
    players_[who].last_move = m;
  } else if (const auto* r = std::get_if<respawn>(&e)) {
    add_op(player(r->player_id), r->hp, nullptr);
  } else if (const auto* s = std::get_if<score>(&e)) {
    add_score(*s);
  } else if (const auto* i = std::get_if<item>(&e)) {
    player(i->player_id);
    game_.add(*i);
  } else if (const auto* c = std::get_if<completion>(&e)) {
    player(c->player_id);
    game_.add(*c);
  } else if (const auto* t = std::get_if<trade>(&e)) {
    player(t->from);
    player(t->to);
    game_.add(*t, log_.substr(line_start_, log_.size() - line_start_ - 1));
  } else if (const auto* words = std::get_if<chat>(&e)) {
    game_.add(*words);
  }
}

void batch_fold::append_boards(packed_values& out) const {
  std::set<std::string_view> boards;
  for (const auto& s : scores_) boards.insert(s.what->board);
  out.add(static_cast<std::int64_t>(boards.size()));
  for (const auto board : boards) out.add(board);
}

void batch_fold::append_players(packed_values& out) const {
  out.add(static_cast<std::int64_t>(players_.size()));
  for (const auto& p : players_) {
    out.add(*p.id);
    out.add(p.dealt);
    out.add(p.interaction);
    out.add(p.target);
    out.add(p.last_move ? move_text(*p.last_move) : std::string());
    out.add(std::int64_t{p.op_count});
    for (auto at = p.first_op; at != none; at = ops_[at].next) {
      out.add(ops_[at].amount);
      out.add(ops_[at].attacker ? std::string_view(*ops_[at].attacker) : std::string_view());
    }
  }
}

void batch_fold::append_activity(packed_values& out, std::vector<std::string>& texts,
                                 const fold_settings& settings) const {
  std::string text;
  std::string lines;
  std::size_t place = 0;
  for (const auto& p : players_) {
    if (p.activity == 0) continue;
    const auto kept = std::min(std::int64_t{p.action_count}, settings.actions_limit);
    auto skipped = p.action_count - kept;
    lines.clear();
    for (auto at = p.first_action; at != none; at = actions_[at].next)
      if (skipped-- <= 0) lines.append(log_, actions_[at].start, actions_[at].size);
    if (!lines.empty()) lines.pop_back();
    const bool keeps = !settings.refreshes_profile || settings.refreshes_profile(*p.id);
    append_activity_delta(text,
                          {*p.id, p.activity, fmt::format("{:05}", place++), keeps, kept, lines});
  }
  out.add(std::int64_t{!text.empty()});
  if (!text.empty()) texts.push_back(std::move(text));
}

void batch_fold::append_attacks(packed_values& out, std::vector<std::string>& texts,
                                timestamp now) const {
  struct part_texts {
    std::string records, index;
  };
  std::array<part_texts, attack_parts> parts;
  time_text times;
  const auto first_line = fmt::format("{}\n", now.time_since_epoch().count());
  for (const auto* a : pairs_) {
    const auto hash = attack_hash(a->attacker_id, a->target_id);
    auto& part = parts[attack_part(hash)];
    if (part.records.empty()) part = {first_line, first_line};
    append_fingerprint(part.index, hash);
    auto& text = part.records;
    const fmt::format_int damage(a->damage);
    append_pair(text, a->attacker_id, a->target_id);
    text += ' ';
    text.append(damage.data(), damage.size()) += ' ';
    text.append(times(a->ts)) += ' ';
    text.append(a->id) += '\n';
  }
  out.add(std::ranges::count_if(parts, [](auto& p) { return !p.records.empty(); }));
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (parts[part].records.empty()) continue;
    out.add(fmt::format_int(part).c_str());
    texts.push_back(std::move(parts[part].records));
    texts.push_back(std::move(parts[part].index));
  }
}

void batch_fold::append_to(packed_values& out, std::vector<std::string>& texts,
                           const fold_settings& settings) const {
  const auto levels = game_.levels();
  out.add(static_cast<std::int64_t>(levels.size()));
  for (const auto& level : levels) out.add(level);
  append_boards(out);
  append_players(out);
  append_activity(out, texts, settings);
  append_attacks(out, texts, settings.now);
  out.add(static_cast<std::int64_t>(scores_.size()));
  for (const auto& s : scores_) {
    out.add(s.what->board);
    out.add(s.what->player_id);
    out.add(word(s.what->op));
    out.add(fmt::format_int(s.value).c_str());
  }
  std::vector<std::string> words;
  game_.append_to(words);
  for (const auto& word : words) out.add(word);
}

}  // namespace skirmish::interactions
