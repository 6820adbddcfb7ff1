// The Redis keys of leaderboards.
//
//   leaderboard:<board>            zset    player → score: the truth, and what people look at
//   leaderboard:<board>@subscores  hash    player → subscore, where it is not 0: the truth, too
//   leaderboard:<board>@metadata   hash    player → JSON
//   leaderboard:<board>@seq        string  counts changes; the version of the board
//   leaderboard:<board>@moved      hash    player → the seq of its last change, while it is not yet
//   in… leaderboard:<board>@order      zset    every score 0, member = place (24 bytes) + player:
//   its
//                                          lexical order is the order of the board, best first
//   leaderboard:<board>@entries    hash    player → its place in @order
//   leaderboard:<board>@distinct   zset    the different scores (dense ranks only)
//   leaderboard:<board>@config     hash    order, operator, rank_mode, reset, next_reset, season,
//                                          season_started, seasons_kept
//   leaderboard:<board>@seasons    hash    number → "started closed" (ms) of each closed season
//   leaderboard:<board>@done:<id>:<n>    string  the scores from the n-th on of a submission with
//                                          an id were applied; 10 minutes. <id> is
//                                          <key_id>@<sent id>
//   leaderboard:<board>@done:<id>@body   string  a digest of that submission; 10 minutes
//   leaderboard:<board>@<season>…  the same keys again for each closed season
//   leaderboards:resets            zset    board → when its season ends (ms)
//   leaderboards:names             zset    every score 0: boards that were configured or got a
//   score;
//                                          not those of levels, nor `active`, `global` and `kills`
//
// A board's id cannot hold '@', so none of these can be another board. None but @done has a TTL.
#pragma once

#include "redis/key_space.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::leaderboards {

// leaderboard:<board>, a sorted set: player → score. `global`, `active`, `kills`,
// `level:<level_id>` and your own.
inline std::string board_key(const redis::key_space& keys, std::string_view board) {
  return keys.key("leaderboard", board);
}

inline std::string resets_key(const redis::key_space& keys) {
  return keys.key("leaderboards:resets");
}

inline std::string names_key(const redis::key_space& keys) {
  return keys.key("leaderboards:names");
}

// leaderboard:<board>@done:<id>, a string: a submission with an id that was applied; 10 minutes.
// Its id is an id, or two with '@' between them.
inline std::string done_key(const redis::key_space& keys, std::string_view board,
                            std::string_view submission_id) {
  const auto at = submission_id.find('@');
  auto key = board_key(keys, board).append("@done:");
  key.append(redis::id_part(submission_id.substr(0, at)));
  if (at != std::string_view::npos)
    key.append("@").append(redis::id_part(submission_id.substr(at + 1)));
  return key;
}

// The keys that every script of a board takes, in the scripts' order.
inline constexpr std::array<std::string_view, 9> board_key_suffixes{
    "", "@order", "@entries", "@moved", "@subscores", "@distinct", "@config", "@metadata", "@seq"};

// leaderboard:level:<level_id>. The level's id may be so long that no board's id could hold it.
inline std::string level_board_key(const redis::key_space& keys, std::string_view level_id) {
  return keys.key("leaderboard:level", level_id);
}

// Those of the board whose scores are under `base`.
inline std::vector<std::string> board_keys_at(const std::string& base) {
  std::vector<std::string> out;
  out.reserve(board_key_suffixes.size());
  for (const auto suffix : board_key_suffixes) out.push_back(base + std::string(suffix));
  return out;
}

// `season` 0 is the current one.
inline std::vector<std::string> board_keys(const redis::key_space& keys, std::string_view board,
                                           std::int64_t season = 0) {
  auto base = board_key(keys, board);
  if (season != 0) base += '@' + std::to_string(season);
  return board_keys_at(base);
}

}  // namespace skirmish::leaderboards
