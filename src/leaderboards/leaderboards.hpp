// Leaderboards: scores, their order, ranks, seasons.
//
// `leaderboard:<board>` is a plain sorted set of true scores; beside it `@order` holds the same
// players in the exact order of the board (score, then subscore, then who reached them first, then
// the id), so that every rank is found in O(log n), however many are tied. Scores and subscores are
// whole numbers up to ±2^53 exactly; fractions are doubles. docs/leaderboards.md has the whole
// story.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "leaderboards/leaderboards_keys.hpp"
#include "leaderboards/place.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skirmish::leaderboards {

inline constexpr double score_max = 9'007'199'254'740'992;  // 2^53
inline constexpr std::size_t submission_max = 10'000;       // scores
inline constexpr std::size_t ids_max = 1'000;
inline constexpr std::size_t metadata_max_bytes = 1'024;

enum class ordering { desc, asc };                         // what is best: high or low scores
enum class operation { best, set, increment, decrement };  // what a submitted score does to the old
enum class rank_mode { ordinal, competition, dense };      // 1234, 1224, 1223

struct settings {
  ordering order = ordering::desc;
  operation op = operation::best;
  rank_mode ranks = rank_mode::ordinal;
  std::string reset;  // cron in UTC; empty: one endless season
  std::int64_t seasons_kept = 100;
};

struct board_info {
  settings chosen;
  bool configured = false;
  std::int64_t season = 1;
  std::optional<timestamp> next_reset;
};

struct listed_board {
  std::string board;
  board_info info;
  std::int64_t players = 0;
};

struct board_list {
  std::vector<listed_board> boards;  // in the order of their names
  bool more = false;
};

struct closed_season {
  std::int64_t season = 0;
  timestamp started;
  timestamp closed;
};

struct entry {
  std::int64_t rank = 0;  // 1 is the best
  std::string player_id;
  double score = 0;
  double subscore = 0;
  std::string metadata;  // JSON, or empty
  bool operator==(const entry&) const = default;
};

struct board_page {
  std::vector<entry> entries;
  std::string next;  // cursors; empty at the ends
  std::string previous;
  std::int64_t total = 0;     // players on the board
  std::int64_t version = 0;   // grows with every change of the board
  bool settled = true;        // false: more changed than could be put in place in time
  std::int64_t unplaced = 0;  // players who moved and are not in @order yet; may be settled
};

struct score {
  std::string player_id;
  double value = 0;
  double subscore = 0;
  std::optional<operation> op = std::nullopt;  // the board's when absent
  std::string metadata = {};                   // JSON; empty leaves what there is
};

struct submitted {
  double value = 0;  // what the player has now
  double subscore = 0;
  bool changed = false;
  bool out_of_range = false;  // not applied: it would leave ±2^53
};

class service {
 public:
  service(redis::client& redis, const redis::key_space& keys, const clock& time)
      : redis_(redis), keys_(keys), clock_(time) {}

  // Reading. An unknown board is an empty one; `season` 0 is the current one, others are closed.
  // Entries from rank `first` (1 is the best) on, at most `limit`.
  awaitable<board_page> page(std::string board, std::int64_t first, std::int64_t limit,
                             std::int64_t season = 0);
  awaitable<board_page> page_at(std::string board, cursor from, std::int64_t limit,
                                std::int64_t season = 0);
  // The player and up to `around` entries on each side. not_found when it has no score there.
  awaitable<result<std::vector<entry>>> around(std::string board, std::string player_id,
                                               std::int64_t around, std::int64_t season = 0);
  // Those of `ids` (at most ids_max) that have a score, in the order asked.
  awaitable<std::vector<entry>> ranks(std::string board, std::vector<std::string> ids,
                                      std::int64_t season = 0);

  // Writing. Applies the scores in order, in steps of 50 (each atomic); one result a score. With an
  // id, sending the same again within 10 minutes changes nothing.
  awaitable<std::vector<submitted>> submit(std::string board, std::vector<score> scores,
                                           std::string submission_id = {});
  // False when the id stands for a submission with another digest already.
  awaitable<bool> claim(std::string board, std::string submission_id, std::string digest);
  awaitable<bool> remove(std::string board, std::string player_id);  // true when it was there

  // A player is deleted: it is taken off every board but `active` (activity/window.hpp). Closed
  // seasons keep it.
  awaitable<void> forget_player(std::string player_id);
  // The board of a level goes, with its seasons.
  awaitable<void> delete_level_board(std::string level_id);

  // Boards. conflict when entries would have to be reordered (order, or to or from dense).
  awaitable<result<board_info>> configure(std::string board, settings chosen);
  awaitable<board_info> info(std::string board);
  awaitable<bool> delete_board(std::string board);
  // The boards whose names come behind `behind`, without those of levels.
  awaitable<board_list> list(std::string behind, std::int64_t limit);
  awaitable<std::vector<closed_season>> closed_seasons(std::string board);
  // Ends the current season now; the number of the season that goes on.
  awaitable<std::int64_t> close_season(std::string board);
  // Ends the seasons that are due; how many. Safe to call from many servers.
  awaitable<std::size_t> close_due_seasons();
  // Calls that every second, until cancelled.
  awaitable<void> run_closer();

  // Puts all moved players in their places.
  awaitable<void> catch_up(std::string board);
  // Mends @order after somebody wrote to the board without telling @moved.
  awaitable<void> reindex(std::string board, std::int64_t season = 0);

  // Whether there is such a board: somebody has configured it or put a score on it, it is that of a
  // level, or the server itself keeps it.
  awaitable<bool> exists(std::string board);

  // Versions of boards (0 for unknown ones), in one round trip.
  awaitable<std::vector<std::int64_t>> versions(std::vector<std::string> boards);

 private:
  struct slice;
  // `base` is the key of a board's scores.
  awaitable<bool> remove_at(std::string base, std::string player_id);
  awaitable<bool> delete_at(std::string base, std::string board);
  awaitable<void> take_off(std::vector<std::string> bases, std::string player_id);
  using times = std::map<std::string, std::chrono::steady_clock::time_point>;
  awaitable<slice> read(std::string board, std::int64_t season, std::int64_t limit,
                        std::string_view from, std::string where);
  awaitable<slice> read_once(const std::vector<std::string>& keys, std::int64_t limit,
                             std::string_view from, const std::string& where, bool search_untold);
  awaitable<void> place_some(const std::vector<std::string>& keys, int steps);
  static board_info info_from(const redis::value& config);
  awaitable<board_info> info_of(std::string board, std::int64_t season);
  awaitable<std::int64_t> end_season(std::string board, const board_info& now);
  static bool is_time(times& last, const std::string& key);

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  times helped_;    // when each board was last caught up by a reader,
  times searched_;  // and searched for players who moved untold
  std::set<std::string> reindexing_;
};

}  // namespace skirmish::leaderboards
