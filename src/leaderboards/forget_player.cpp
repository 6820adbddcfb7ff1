// Taking a player off all boards.
#include "leaderboards/leaderboards.hpp"
#include "levels/levels.hpp"
#include "redis/damaged_keys.hpp"

namespace skirmish::leaderboards {
namespace {

constexpr int scan_count = 500;

}  // namespace

awaitable<void> service::take_off(std::vector<std::string> bases, std::string player_id) {
  if (bases.empty()) co_return;
  redis::request ask;
  for (const auto& base : bases) ask.push("ZSCORE", base, player_id);
  const auto scores = redis::without_damaged(co_await redis_.exec(std::move(ask)));
  for (std::size_t i = 0; i < bases.size(); ++i)
    if (!scores[i].is_nil()) co_await remove_at(bases[i], player_id);
}

awaitable<void> service::forget_player(std::string player_id) {
  std::vector<std::string> own{board_key(keys_, "global"), board_key(keys_, "kills")};
  co_await take_off(std::move(own), player_id);
  const std::vector<std::string> indexes{names_key(keys_), levels::popular_key(keys_)};
  for (std::size_t i = 0; i < indexes.size(); ++i) {
    std::string cursor = "0";
    do {
      redis::request scan;
      scan.push("ZSCAN", indexes[i], cursor, "COUNT", scan_count);
      const auto found = redis::without_damaged(co_await redis_.exec(std::move(scan)));
      if (found[0].size() != 2) break;
      cursor = found[0][0].as_string();
      std::vector<std::string> some;
      for (std::size_t n = 0; n < found[0][1].size(); n += 2) {
        const auto& name = found[0][1][n].as_string();
        if (!is_valid_id(name)) continue;
        some.push_back(i == 0 ? board_key(keys_, name) : level_board_key(keys_, name));
      }
      co_await take_off(std::move(some), player_id);
    } while (cursor != "0");
  }
}

}  // namespace skirmish::leaderboards
