// Live boards: who watches a board hears of a changed top, at most every 100 ms, the latest only.
//
// Belongs to one thread. Versions are the board's own, so they mean the same on every thread and
// server; a watcher skips what is not newer than what it has.
#pragma once

#include "leaderboards/leaderboards.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

namespace skirmish::leaderboards {

struct board_top {
  std::string board;
  std::int64_t version = 0;
  std::int64_t total = 0;
  std::vector<entry> entries;
};

class live_boards {
 public:
  // Runs on the thread; must not throw. The same top may be kept and shared.
  using listener = std::function<void(const std::shared_ptr<const board_top>&)>;

  struct state;
  // While it lives, its listener is called. Movable; may outlive the live_boards.
  class interest {
   public:
    interest() = default;
    ~interest() { end(); }
    interest(interest&& other) noexcept = default;
    interest& operator=(interest&& other) noexcept;
    void end() noexcept;

   private:
    friend class live_boards;
    std::weak_ptr<state> all_;
    std::string board_;
    std::uint64_t number_ = 0;
  };

  // `limit`: how many entries a top has.
  live_boards(asio::io_context& io, service& boards, std::int64_t limit = 10,
              std::chrono::milliseconds interval = std::chrono::milliseconds(100));

  awaitable<bool> exists(std::string board) { return boards_.exists(std::move(board)); }
  // The listener gets the top as it is soon, and then each changed one.
  interest watch(std::string board, listener on_top);

  // Until cancelled. While nobody watches, it asks nothing.
  awaitable<void> run();

 private:
  awaitable<void> refresh();
  awaitable<void> look_at(std::string name, std::int64_t version);

  service& boards_;
  std::int64_t limit_;
  std::chrono::milliseconds interval_;
  std::shared_ptr<state> all_;
};

}  // namespace skirmish::leaderboards
