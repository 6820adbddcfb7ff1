#include "interactions/domain_events.hpp"

#include "core/parse.hpp"

#include <algorithm>

namespace skirmish::interactions {
namespace {

void append_goods(std::vector<std::string>& out, const goods& all) {
  out.push_back(std::to_string(all.size()));
  for (const auto& [name, quantity] : all) {
    out.push_back(name);
    out.push_back(std::to_string(quantity));
  }
}

// Where a trade says whether it is the last thing that its player did.
constexpr std::size_t is_last_at = 5;

error meaning_of(std::string_view verdict) {
  if (verdict == "seen") return {};
  if (verdict == "taken") return id_is_taken;
  if (verdict == "muted") return {errc::forbidden, "the sender is muted on this channel"};
  if (verdict == "banned") return {errc::forbidden, "the sender is banned from this channel"};
  if (verdict == "damaged")
    return {errc::conflict, "a key in Redis that this needs holds something else"};
  if (verdict == "range") return score_out_of_range;
  if (verdict == "full") return {errc::conflict, "the inventory holds no more than that"};
  return {errc::conflict, "the trade is not possible: " + std::string(verdict)};
}

}  // namespace

const error id_is_taken{errc::conflict, "this id was used for another event"};

bool is_game_event(const event& e) noexcept {
  return std::holds_alternative<item>(e) || std::holds_alternative<completion>(e) ||
         std::holds_alternative<trade>(e) || std::holds_alternative<chat>(e);
}

const std::string* level_of(const event& e) noexcept {
  const auto* c = std::get_if<completion>(&e);
  return c ? &c->level_id : nullptr;
}

void domain_events::add(const item& i) {
  events_.push_back({"item", i.player_id, i.name, std::to_string(i.quantity)});
}

void domain_events::add(const completion& c) {
  events_.push_back({"completion", c.id, c.level_id, c.player_id, std::to_string(c.score)});
  levels_.push_back(c.level_id);
}

void domain_events::add(const trade& t, std::string action) {
  last_trade_[t.from] = events_.size();
  auto& e = events_.emplace_back();
  e = {"trade", t.key.name, t.key.digest, t.from, t.to, "0", std::move(action)};
  append_goods(e, t.give);
  append_goods(e, t.take);
}

void domain_events::add(const chat& c) {
  events_.push_back({"chat", c.channel, c.from, c.text, to_rfc3339(c.ts)});
}

std::vector<std::string> domain_events::levels() const {
  auto out = levels_;
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void domain_events::append_to(std::vector<std::string>& out) const {
  out.push_back(std::to_string(events_.size()));
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const auto first = out.size();
    out.insert(out.end(), events_[i].begin(), events_[i].end());
    if (events_[i].front() != "trade") continue;
    const auto last = last_trade_.find(events_[i][3]);
    if (last != last_trade_.end() && last->second == i) out[first + is_last_at] = "1";
  }
}

const error score_out_of_range{errc::invalid_argument,
                               "the score would leave the range of -2^53 to 2^53"};

std::set<std::size_t> refused_scores_of(const std::vector<std::string>& outcome) {
  std::set<std::size_t> out;
  for (const auto& line : outcome) {
    if (!line.starts_with('?')) continue;
    const auto entry = parse_integer(std::string_view(line).substr(1)).value_or(0);
    out.insert(static_cast<std::size_t>(entry));
  }
  return out;
}

std::vector<verdict_on_event> verdicts_of(const std::vector<std::string>& outcome) {
  std::vector<verdict_on_event> out;
  for (const auto& line : outcome) {
    if (!line.starts_with('!')) continue;
    const auto space = std::min(line.find(' '), line.size() - 1);
    const auto number = parse_integer(std::string_view(line).substr(1, space - 1));
    if (number && *number > 0)
      out.emplace_back(static_cast<std::size_t>(*number),
                       meaning_of(std::string_view(line).substr(space + 1)));
  }
  return out;
}

}  // namespace skirmish::interactions
