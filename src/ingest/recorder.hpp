// What both formats have in common: who plays, with how many hit points, on which level, and what
// is counted.
#pragma once

#include "ingest/events.hpp"
#include "ingest/gps.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace skirmish::ingest {

// What a file holds. `events` to `chat` count events of the stream (events.hpp), so they say what
// is sent to a server that applies everything; what the server did with them is counted by the
// sender.
struct totals {
  std::uint64_t lines = 0;          // all lines, blank ones too
  std::uint64_t unknown_lines = 0;  // neither blank nor understood, or longer than the limit
  std::uint64_t lines_in_part = 0;  // understood, but for something in them that was skipped
  std::uint64_t events = 0;         // attack + move + respawn + score + item + completion + chat
  std::uint64_t attacks = 0;        // attack events, those on oneself too
  std::uint64_t damage = 0;   // the sum of their damage, as the file says it (overkill included)
  std::uint64_t kills = 0;    // score events on the board `kills`, each of them +1
  std::uint64_t moves = 0;    // move events
  std::uint64_t items = 0;    // item events, +1 and -1 alike
  std::uint64_t chat = 0;     // chat events
  std::uint64_t levels = 0;   // different level ids
  std::uint64_t players = 0;  // different player ids, in any line that is understood

  bool operator==(const totals&) const = default;

  // The counts of two files together. Levels and players of both are counted twice.
  totals& operator+=(const totals& other) noexcept;
};

// Whose log it is.
struct parser_options {
  // NOLINTNEXTLINE(google-explicit-constructor): most logs have nothing but an origin
  parser_options(geo_origin from = {}, std::string name = {})
      : origin(from), server(std::move(name)) {}

  geo_origin origin;
  // The name of the game server that writes it now: attacks and moves carry it, the boards of
  // server_boards.hpp are kept, and players who have left are forgotten. Empty for the log of a
  // match that is over.
  std::string server;
};

// Turns what a line says into events. Keeps, for each player, the hit points the server will hold
// once it has applied everything written so far: an attack takes its damage off, never below 0, and
// a respawn sets them. A player's first event is a respawn to 100 hp, so the outcome does not
// depend on what the world held before; and where an attack alone would not lead to the health that
// the log states (armour, healing, a log that starts mid-round, hits that were not logged), a
// respawn to health + damage comes right before it.
class recorder {
 public:
  using player = std::size_t;

  static constexpr int full_hp = 100;
  // Bounds memory and the events of one line. Lines that need one player more are not understood.
  static constexpr std::size_t players_limit = 50'000;
  static constexpr std::size_t levels_limit = 10'000;
  // The same of a live server, where those who have been away for longest make room.
  static constexpr std::size_t live_players_limit = 1'000;
  static constexpr std::size_t weapons_limit = 500;
  // A player of whom no line speaks for so long has left.
  static constexpr std::chrono::minutes absence_limit{30};

  explicit recorder(parser_options options)
      : options_(std::move(options)), plane_(options_.origin) {}

  void write_to(std::vector<log_event>* out) noexcept { out_ = out; }
  void count_line(bool known) noexcept;
  void count_line_in_part() noexcept { ++totals_.lines_in_part; }

  // The time of what follows: by the log's own clock and, when that is a calendar, as a time stamp.
  void at(std::chrono::milliseconds log_time, std::optional<timestamp> calendar = std::nullopt);

  // The player with this id, known from now on; nothing when there are too many players. The number
  // is good until the line ends.
  std::optional<player> see(const std::string& id, std::string_view name);

  // The level that is played from now on; an empty name: none.
  void level(std::string_view name);

  struct hit {
    player attacker = 0;
    player target = 0;
    int damage = 0;
    std::string_view weapon;
    std::optional<int> health_after = std::nullopt;  // as the log states it, 0 or more
  };
  void attack(const hit& h);
  void move(player who, const world_position& to);
  void respawn(player who, int hp);
  void respawn_all();

  struct kill_details {
    player killer = 0;
    player victim = 0;
    std::string_view weapon = {};
    bool is_headshot = false;
  };
  void kill(const kill_details& k);
  // Somebody dies by nobody's hand.
  void death(player victim);
  // Somebody begins to play; again on each map.
  void joined(player who);
  // Whoever has this id is gone: nobody's number is what it was after this.
  void left(const std::string& id);

  void item(player who, std::string_view name, int quantity);
  void chat(std::string channel, std::string from, std::string_view text);

  // Both need a level: nothing happens as long as none is known.
  void complete(player who, int score);
  // A completion for each player seen so far, with the kills since the last one as the score.
  void complete_all();

  [[nodiscard]] int hp(player who) const { return players_[who].hp; }
  [[nodiscard]] const std::string& id(player who) const { return players_[who].id; }
  [[nodiscard]] const totals& counted() const noexcept { return totals_; }

 private:
  struct state {
    std::string id;
    int hp = full_hp;
    int kills = 0;
    // Of a live server:
    int streak = 0;                           // kills since the last death
    bool is_in_session = false;               // its session is counted
    std::chrono::milliseconds counted_to{0};  // until when its time is counted
    std::chrono::milliseconds seen_at{0};     // the last line that speaks of it
  };

  void emit(event what);
  [[nodiscard]] bool is_live() const noexcept { return !options_.server.empty(); }
  void note_presence(player who);
  void add_to_boards(std::string_view what, player who, int value, bool keeps_best = false);
  void count_time(player who);
  void count_time_of_all();
  void forget(player who);
  void forget_absent();
  void make_room();

  parser_options options_;
  local_plane plane_;
  std::vector<log_event>* out_ = nullptr;
  totals totals_;
  std::vector<state> players_;
  std::unordered_map<std::string, player> index_;
  std::unordered_set<std::string> levels_;
  std::unordered_set<std::string> weapons_;
  std::string level_;
  std::chrono::milliseconds elapsed_{0};
  std::optional<std::chrono::milliseconds> last_time_;
  std::optional<timestamp> ts_;
};

}  // namespace skirmish::ingest
