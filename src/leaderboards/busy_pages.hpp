// The top of a busy board, kept for a moment.
//
// While thousands of players move on a board every second, each read of it waits in Redis behind
// the scripts that move them, and is out of date when it arrives. So then one read serves all who
// ask in the next tenth of a second; who asks a little later still gets it, while the next is made
// (stale-while-revalidate, RFC 5861). Boards that keep up with their changes are always read.
#pragma once

#include "core/task_group.hpp"
#include "leaderboards/leaderboards.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace skirmish::leaderboards {

// Belongs to one thread.
class busy_pages {
 public:
  // A board is busy while more players than this wait for their places (board_page::unplaced).
  static constexpr std::int64_t busy_above = 1'000;
  static constexpr std::int64_t limit_max = 100;  // longer pages are not kept
  static constexpr std::size_t kept_max = 32;     // pages

  struct ages {
    std::chrono::milliseconds fresh{100};  // given as it is
    std::chrono::milliseconds stale{500};  // given while the next one is read
  };

  // Reads behind the callers' backs run in `tasks`.
  busy_pages(service& boards, task_group& tasks) : busy_pages(boards, tasks, ages()) {}
  busy_pages(service& boards, task_group& tasks, ages limits)
      : boards_(boards), tasks_(tasks), limits_(limits) {}

  // The page of the first `limit` entries as JSON. `now`: whatever is kept, it is read for this
  // answer.
  awaitable<std::shared_ptr<const std::string>> top(std::string board, std::int64_t limit,
                                                    bool now);

 private:
  using name = std::pair<std::string, std::int64_t>;  // board, limit
  struct kept_page {
    std::shared_ptr<const std::string> text;
    std::chrono::steady_clock::time_point read_at;
    bool is_refreshing = false;
  };
  // What is kept and not too old.
  kept_page* find(const name& page);
  void refresh(name page);
  awaitable<std::shared_ptr<const std::string>> read(name page);
  void keep(name page, kept_page made);

  service& boards_;
  task_group& tasks_;
  ages limits_;
  std::map<name, kept_page> kept_;
};

}  // namespace skirmish::leaderboards
