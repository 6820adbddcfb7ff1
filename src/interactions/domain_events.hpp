// The share of a batch that interactions/game.lua applies: items, completions, trades and chat, in
// their order.
#pragma once

#include "interactions/events.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace skirmish::interactions {

// The answer to an event whose id its sender has used for another one.
extern const error id_is_taken;

// True for events that game.lua applies; it numbers them from 1 in the order of the batch.
bool is_game_event(const event& e) noexcept;

// The level that must exist for the event, or nothing.
const std::string* level_of(const event& e) noexcept;

class domain_events {
 public:
  void add(const item& i);
  void add(const completion& c);
  void add(const trade& t, std::string action);
  void add(const chat& c);

  // The player did something else after its trades.
  void acted(const std::string& player_id) {
    if (!last_trade_.empty()) last_trade_.erase(player_id);
  }

  // The sections of commit.lua: levels that must exist, and the events.
  [[nodiscard]] std::vector<std::string> levels() const;
  void append_to(std::vector<std::string>& out) const;

 private:
  std::vector<std::vector<std::string>> events_;
  std::vector<std::string> levels_;
  std::unordered_map<std::string, std::size_t> last_trade_;  // of each player → index in events_
};

// Why the n-th game event was not applied; an error with an empty message means that it was applied
// before.
using verdict_on_event = std::pair<std::size_t, error>;

// Reads what apply_game() appended to the outcome of a commit.
std::vector<verdict_on_event> verdicts_of(const std::vector<std::string>& outcome);

// The entries of the section `scores` that were not applied.
std::set<std::size_t> refused_scores_of(const std::vector<std::string>& outcome);

extern const error score_out_of_range;

}  // namespace skirmish::interactions
