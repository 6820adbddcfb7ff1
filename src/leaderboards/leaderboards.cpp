#include "leaderboards/leaderboards.hpp"

#include "leaderboards/leaderboards_keys.hpp"

#include <algorithm>

namespace skirmish::leaderboards {

awaitable<std::vector<entry>> service::page(std::string board, std::int64_t first,
                                            std::int64_t limit) {
  auto reply = redis::checked(co_await redis_.command("ZREVRANGE", board_key(keys_, board),
                                                      first - 1, first + limit - 2, "WITHSCORES"));
  std::vector<entry> out;
  // RESP3 pairs each member with its score.
  for (const auto& pair : reply.elements())
    out.push_back({first++, pair[0].as_string(), pair[1].as_double().value_or(0)});
  co_return out;
}

awaitable<result<std::vector<entry>>> service::around(std::string board, std::string player_id,
                                                      std::int64_t around) {
  auto reply =
      redis::checked(co_await redis_.command("ZREVRANK", board_key(keys_, board), player_id));
  const auto rank = reply.as_integer();
  if (reply.is_nil() || !rank)
    co_return error{errc::not_found, "this player has no score on this board"};
  const auto first = std::max<std::int64_t>(1, *rank + 1 - around);
  co_return co_await page(std::move(board), first, *rank + 1 - first + 1 + around);
}

awaitable<std::vector<entry>> service::ranks(std::string board, std::vector<std::string> ids) {
  const auto key = board_key(keys_, board);
  redis::request r;
  for (const auto& id : ids) {
    r.push("ZREVRANK", key, id);
    r.push("ZSCORE", key, id);
  }
  const auto replies = redis::checked(co_await redis_.exec(std::move(r)));
  std::vector<entry> out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto& rank = replies[2 * i];
    if (rank.is_nil()) continue;
    out.push_back(
        {rank.as_integer().value_or(0) + 1, ids[i], replies[2 * i + 1].as_double().value_or(0)});
  }
  co_return out;
}

}  // namespace skirmish::leaderboards
