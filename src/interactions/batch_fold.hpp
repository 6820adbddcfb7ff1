// A batch's events folded a player, a pair and a board: what commit.lua is told. The events must
// stay where they are while this lives.
#pragma once

#include "interactions/event_text.hpp"
#include "interactions/events.hpp"
#include "interactions/game_fold.hpp"
#include "interactions/packed_values.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::interactions {

// RESTORE key dump: an attack record.
struct attack_write {
  std::string key;
  std::string dump;
};

struct fold_settings {
  std::string_view prefix;
  std::int64_t actions_limit = 20;
  bool dump_attacks = true;  // attacks as dumps for RESTORE, else as fields
  // Whether the player's cached profile is to be kept for another hour; empty: always.
  std::function<bool(const std::string& player_id)> refreshes_profile;
  // Whether the player is known to exist; empty: nobody is.
  std::function<bool(const std::string& player_id)> is_known;
};

class batch_fold {
 public:
  // `is_trusted`: the event's frame is surely not one that was committed before.
  void add(const event& e, bool is_trusted);

  // The sections of commit.lua from `levels` on. Returns the attack records that may be written
  // before the commit: it cannot refuse their events, and writing them again changes nothing.
  std::vector<attack_write> append_to(packed_values& out, const fold_settings& settings) const;

  [[nodiscard]] const std::vector<const std::string*>& ids() const noexcept { return ids_; }
  [[nodiscard]] std::size_t event_count() const noexcept { return event_count_; }
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
  struct pair_change {
    const attack* latest;
    bool is_trusted;
  };
  struct score_change {
    const score* what;
    std::int64_t value;
  };

  std::uint32_t player(const std::string& id);
  void act(std::uint32_t who, std::string_view interaction);
  void add_op(std::uint32_t who, std::int64_t amount, const std::string* attacker);
  void add_attack(const attack& a, bool is_trusted);
  void add_score(const score& s);
  void append_players(packed_values& out, const fold_settings& settings) const;
  std::vector<attack_write> append_attacks(packed_values& out, const fold_settings& settings) const;
  [[nodiscard]] bool goes_ahead(const pair_change& p, const fold_settings& settings) const;

  boost::unordered_flat_map<std::string_view, std::uint32_t> index_;  // player id → players_
  std::vector<player_change> players_;
  std::vector<op> ops_;
  std::vector<action> actions_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> pair_index_;  // → pairs_
  std::vector<pair_change> pairs_;
  std::vector<score_change> scores_;
  boost::unordered_flat_map<std::string, std::size_t> last_score_;  // board and player → scores_
  std::vector<const std::string*> ids_;
  game_fold game_;
  std::string log_;
  std::size_t line_start_ = 0;  // of the event being added, in log_
  std::size_t event_count_ = 0;
};

}  // namespace skirmish::interactions
