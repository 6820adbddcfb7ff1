#include "ingest/recorder.hpp"

#include "core/text.hpp"
#include "core/utf8.hpp"
#include "ingest/server_boards.hpp"
#include "ingest/text.hpp"

#include <algorithm>
#include <utility>

namespace skirmish::ingest {
namespace {

constexpr std::size_t name_limit_chars = 64;
constexpr std::size_t character_limit_bytes = 4;
constexpr std::size_t chat_limit_bytes = 2000;

// The name as people read it; an id is always readable.
std::string readable(std::string_view name, const std::string& id) {
  const auto text = clean_text(name, name_limit_chars * character_limit_bytes);
  return text.empty() ? id : std::string(first_characters(text, name_limit_chars));
}

bool is_bot(std::string_view id) { return id.starts_with("bot:"); }

}  // namespace

totals& totals::operator+=(const totals& other) noexcept {
  lines += other.lines;
  unknown_lines += other.unknown_lines;
  lines_in_part += other.lines_in_part;
  events += other.events;
  attacks += other.attacks;
  damage += other.damage;
  kills += other.kills;
  moves += other.moves;
  items += other.items;
  chat += other.chat;
  levels += other.levels;
  players += other.players;
  return *this;
}

void recorder::emit(event what) {
  totals_.events += is_stream_event(what) ? 1 : 0;
  out_->push_back({elapsed_, std::move(what)});
}

void recorder::count_line(bool known) noexcept {
  ++totals_.lines;
  totals_.unknown_lines += known ? 0 : 1;
}

void recorder::at(std::chrono::milliseconds log_time, std::optional<timestamp> calendar) {
  if (last_time_) elapsed_ += std::max(log_time - *last_time_, std::chrono::milliseconds{0});
  last_time_ = log_time;
  ts_ = calendar;
  if (is_live()) make_room();
}

std::optional<recorder::player> recorder::see(const std::string& id, std::string_view name) {
  if (const auto found = index_.find(id); found != index_.end()) {
    note_presence(found->second);
    return found->second;
  }
  if (players_.size() == players_limit) return std::nullopt;
  const auto who = players_.size();
  players_.push_back({.id = id, .counted_to = elapsed_, .seen_at = elapsed_});
  index_.emplace(id, who);
  ++totals_.players;
  emit(player_seen{id, readable(name, id)});
  respawn(who, full_hp);
  return who;
}

void recorder::level(std::string_view name) {
  if (is_live()) forget_absent();
  level_.clear();
  if (name.empty()) return;
  auto id = to_id(name);
  if (!levels_.contains(id)) {
    if (levels_.size() == levels_limit) return;
    levels_.insert(id);
    totals_.levels = levels_.size();
    emit(level_seen{id, readable(name, id)});
  }
  level_ = std::move(id);
}

void recorder::attack(const hit& h) {
  const int reached = std::max(players_[h.target].hp - h.damage, 0);
  const int after = h.health_after.value_or(reached);
  if (after != reached) respawn(h.target, after + h.damage);
  players_[h.target].hp = after;
  ++totals_.attacks;
  totals_.damage += static_cast<std::uint64_t>(h.damage);
  emit(ingest::attack{.attacker_id = id(h.attacker),
                      .target_id = id(h.target),
                      .damage = h.damage,
                      .weapon = h.weapon.empty() ? std::string{} : to_id(h.weapon),
                      .ts = ts_,
                      .server = options_.server,
                      .health_after = after});
}

void recorder::move(player who, const world_position& to) {
  const auto place = plane_.locate(to);
  ++totals_.moves;
  emit(ingest::move{.player_id = id(who),
                    .lat = place.lat,
                    .lon = place.lon,
                    .alt = place.alt,
                    .ts = ts_,
                    .server = options_.server});
}

void recorder::respawn(player who, int hp) {
  players_[who].hp = hp;
  emit(ingest::respawn{id(who), hp});
}

void recorder::respawn_all() {
  if (is_live()) count_time_of_all();
  for (player who = 0; who < players_.size(); ++who) respawn(who, full_hp);
}

void recorder::kill(const kill_details& k) {
  ++players_[k.killer].kills;
  ++totals_.kills;
  emit(score{.board = "kills", .player_id = id(k.killer)});
  if (!is_live()) return;
  emit(score{.board = server_board(options_.server, "kills"), .player_id = id(k.killer)});
  death(k.victim);
  if (k.killer == k.victim) return;
  if (k.is_headshot) add_to_boards("headshots", k.killer, 1);
  if (!k.weapon.empty()) {
    auto board = weapon_board(k.weapon);
    const bool is_known = weapons_.contains(board);
    if (!is_known && weapons_.size() < weapons_limit) weapons_.insert(board);
    if (weapons_.contains(board)) emit(score{.board = std::move(board), .player_id = id(k.killer)});
  }
  if (!level_.empty()) emit(score{.board = map_board(level_), .player_id = id(k.killer)});
  add_to_boards("streaks", k.killer, ++players_[k.killer].streak, true);
}

void recorder::death(player victim) {
  if (!is_live()) return;
  players_[victim].streak = 0;
  add_to_boards("deaths", victim, 1);
}

void recorder::joined(player who) {
  if (!is_live() || is_bot(players_[who].id)) return;
  if (!std::exchange(players_[who].is_in_session, true)) add_to_boards("sessions", who, 1);
}

void recorder::left(const std::string& id) {
  const auto found = is_live() ? index_.find(id) : index_.end();
  if (found == index_.end()) return;
  note_presence(found->second);
  forget(found->second);
}

void recorder::add_to_boards(std::string_view what, player who, int value, bool keeps_best) {
  emit(score{std::string(what), players_[who].id, value, keeps_best});
  emit(score{server_board(options_.server, what), players_[who].id, value, keeps_best});
}

// Who was away in between has not played.
void recorder::note_presence(player who) {
  if (is_live() && elapsed_ - players_[who].seen_at > absence_limit) {
    count_time(who);
    players_[who].counted_to = elapsed_;
  }
  players_[who].seen_at = elapsed_;
}

// Up to the last line that speaks of it: how long somebody stayed whose leaving was not logged is
// not known.
void recorder::count_time(player who) {
  auto& p = players_[who];
  const auto played = std::chrono::duration_cast<std::chrono::seconds>(p.seen_at - p.counted_to);
  if (is_bot(p.id) || played.count() <= 0) return;
  p.counted_to += played;
  add_to_boards("playtime", who, static_cast<int>(played.count()));
}

void recorder::count_time_of_all() {
  for (player who = 0; who < players_.size(); ++who) count_time(who);
}

void recorder::forget(player who) {
  count_time(who);
  index_.erase(players_[who].id);
  if (who + 1 != players_.size()) {
    players_[who] = std::move(players_.back());
    index_[players_[who].id] = who;
  }
  players_.pop_back();
}

void recorder::forget_absent() {
  for (player who = players_.size(); who-- > 0;)
    if (elapsed_ - players_[who].seen_at > absence_limit) forget(who);
}

// For the players of one line, who are two at most.
void recorder::make_room() {
  while (players_.size() + 2 > live_players_limit) {
    const auto longest =
        std::min_element(players_.begin(), players_.end(),
                         [](const state& a, const state& b) { return a.seen_at < b.seen_at; });
    forget(static_cast<player>(longest - players_.begin()));
  }
}

void recorder::item(player who, std::string_view name, int quantity) {
  ++totals_.items;
  emit(ingest::item{id(who), to_id(name), quantity});
}

void recorder::chat(std::string channel, std::string from, std::string_view text) {
  ++totals_.chat;
  emit(ingest::chat{std::move(channel), std::move(from), clean_text(text, chat_limit_bytes), ts_});
}

void recorder::complete(player who, int score) {
  if (!level_.empty()) emit(completion{level_, id(who), score});
}

void recorder::complete_all() {
  if (is_live()) count_time_of_all();
  for (player who = 0; who < players_.size(); ++who)
    complete(who, std::exchange(players_[who].kills, 0));
}

}  // namespace skirmish::ingest
