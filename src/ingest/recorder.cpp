#include "ingest/recorder.hpp"

#include "core/text.hpp"
#include "core/utf8.hpp"
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
}

std::optional<recorder::player> recorder::see(const std::string& id, std::string_view name) {
  if (const auto found = index_.find(id); found != index_.end()) return found->second;
  if (players_.size() == players_limit) return std::nullopt;
  const auto who = players_.size();
  players_.push_back({id});
  index_.emplace(id, who);
  totals_.players = players_.size();
  emit(player_seen{id, readable(name, id)});
  respawn(who, full_hp);
  return who;
}

void recorder::level(std::string_view name) {
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
                      .health_after = after});
}

void recorder::move(player who, const world_position& to) {
  const auto place = plane_.locate(to);
  ++totals_.moves;
  emit(ingest::move{
      .player_id = id(who), .lat = place.lat, .lon = place.lon, .alt = place.alt, .ts = ts_});
}

void recorder::respawn(player who, int hp) {
  players_[who].hp = hp;
  emit(ingest::respawn{id(who), hp});
}

void recorder::respawn_all() {
  for (player who = 0; who < players_.size(); ++who) respawn(who, full_hp);
}

void recorder::kill(player killer) {
  ++players_[killer].kills;
  ++totals_.kills;
  emit(score{.board = "kills", .player_id = id(killer)});
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
  for (player who = 0; who < players_.size(); ++who)
    complete(who, std::exchange(players_[who].kills, 0));
}

}  // namespace skirmish::ingest
