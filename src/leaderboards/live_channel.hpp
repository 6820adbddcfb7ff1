// The WebSocket channel `leaderboard:<board>`: the top of a board, and each change of it.
//
// `{"subscribe":{"channel":"leaderboard:global","limit":10}}` is answered by `subscribed`; then
// come
// `{"event":{"channel":…,"data":{"board","version","total","items"}}}` with the whole top, first as
// it is and then whenever it differs. Conflated twice: a board is looked at every 100 ms, and a
// reader who is still busy with one top gets only the latest after it, so it is never closed for
// being slow.
#pragma once

#include "core/task_group.hpp"
#include "leaderboards/live_boards.hpp"
#include "realtime/realtime.hpp"

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace skirmish::leaderboards {

// Belongs to one thread.
class live_channel {
 public:
  static constexpr std::int64_t limit_default = 10;
  static constexpr std::int64_t limit_max = 100;
  static constexpr std::size_t boards_max = 1'000;  // watched on one thread

  // `tops` must have a limit of limit_max.
  live_channel(live_boards& tops, task_group& group) : tops_(tops), group_(group) {}

  void add_to(realtime::gateway& gateway);

 private:
  struct reader;
  awaitable<result<void>> join(realtime::connection& c, std::string channel,
                               const realtime::json::object& message);
  void take(const std::shared_ptr<reader>& to, const std::shared_ptr<const board_top>& top);
  awaitable<void> send(std::shared_ptr<reader> to);
  const std::string& encode(const std::string& channel, const std::shared_ptr<const board_top>& top,
                            std::int64_t limit);

  live_boards& tops_;
  task_group& group_;
  std::map<std::pair<realtime::connection*, std::string>, std::shared_ptr<reader>> readers_;
  // The last top that was encoded: most readers of a board get the same.
  std::weak_ptr<const board_top> encoded_of_;
  std::int64_t encoded_limit_ = 0;
  std::string encoded_;
};

}  // namespace skirmish::leaderboards
