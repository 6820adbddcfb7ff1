// A batch's events aggregated per player, pair and board: what commit.lua is told. The events must
// stay where they are while this lives.
#pragma once

#include "interactions/domain_events.hpp"
#include "interactions/event_text.hpp"
#include "interactions/events.hpp"
#include "interactions/packed_values.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::interactions {

struct fold_settings {
  std::int64_t actions_limit = 20;
  timestamp now;  // of the commit
  // Whether the player's cached profile is to be kept for another hour; empty: always.
  std::function<bool(const std::string& player_id)> refreshes_profile;
};

class batch_fold {
 public:
  void add(const event& e);

  // The sections of commit.lua from `levels` on. Long texts are no part of the packed values: Lua
  // would hash every byte of theirs twice.
  void append_to(packed_values& out, std::vector<std::string>& texts,
                 const fold_settings& settings) const;

  [[nodiscard]] const std::vector<const event_key*>& ids() const noexcept { return ids_; }
  [[nodiscard]] std::size_t event_count() const noexcept { return event_count_; }
  // For each score, in order, the number of its entry in the section `scores` (1 is the first).
  [[nodiscard]] std::vector<std::size_t> take_score_entries() { return std::move(score_entries_); }
  // One line for each event, see event_text.hpp.
  [[nodiscard]] std::string take_log() { return std::move(log_); }

 private:
  static constexpr std::uint32_t none = ~0U;

  // One player's share, in the order of its events. Lists are chains through ops_ and actions_.
  struct player_change {
    const std::string* id;
    std::int64_t activity = 0;
    std::int64_t dealt = 0;
    std::string_view interaction = {};
    std::string_view target = {};
    const move* last_move = nullptr;
    std::uint32_t first_op = none, last_op = none, op_count = 0;
    std::uint32_t first_action = none, last_action = none, action_count = 0;
  };
  struct op {
    std::int64_t amount;
    const std::string* attacker;  // null: hp becomes amount
    std::uint32_t next = none;
  };
  struct action {
    std::size_t start, size;  // in log_
    std::uint32_t next = none;
  };
  struct score_change {
    const score* what;
    std::int64_t value;
  };

  std::uint32_t player(const std::string& id);
  void act(std::uint32_t who, std::string_view interaction);
  void add_op(std::uint32_t who, std::int64_t amount, const std::string* attacker);
  void add_attack(const attack& a);
  void add_score(const score& s);
  void append_boards(packed_values& out) const;
  void append_players(packed_values& out) const;
  void append_activity(packed_values& out, std::vector<std::string>& texts,
                       const fold_settings& settings) const;
  void append_attacks(packed_values& out, std::vector<std::string>& texts, timestamp now) const;

  boost::unordered_flat_map<std::string_view, std::uint32_t> index_;  // player id → players_
  std::vector<player_change> players_;
  std::vector<op> ops_;
  std::vector<action> actions_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> pair_index_;  // → pairs_
  std::vector<const attack*> pairs_;                                    // the latest of each
  std::vector<score_change> scores_;
  boost::unordered_flat_map<std::string, std::size_t> last_score_;  // board and player → scores_
  std::vector<std::size_t> score_entries_;
  std::vector<const event_key*> ids_;
  domain_events game_;
  std::string log_;
  std::size_t line_start_ = 0;  // of the event being added, in log_
  std::size_t event_count_ = 0;
};

}  // namespace skirmish::interactions
