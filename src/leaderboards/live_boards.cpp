#include "leaderboards/live_boards.hpp"

#include "core/event.hpp"
#include "core/log.hpp"
#include "core/repeat.hpp"

#include <utility>

namespace skirmish::leaderboards {
struct live_boards::state {
  struct watcher {
    std::uint64_t number;
    listener on_top;
    std::int64_t told = -1;  // the version it has
  };
  struct board_state {
    std::list<watcher> watchers;
    std::shared_ptr<const board_top> top;
    std::int64_t seen = -1;  // the version at which `top` was read or found unchanged
  };
  explicit state(asio::io_context& io) : watched(io) {}

  std::map<std::string, board_state> boards;
  std::uint64_t last_number = 0;
  event watched;  // set when the first watcher comes
};

live_boards::interest& live_boards::interest::operator=(interest&& other) noexcept {
  if (this == &other) return *this;
  end();
  all_ = std::move(other.all_);
  board_ = std::move(other.board_);
  number_ = other.number_;
  return *this;
}

void live_boards::interest::end() noexcept {
  const auto all = std::exchange(all_, {}).lock();
  if (!all) return;
  const auto at = all->boards.find(board_);
  if (at == all->boards.end()) return;
  // Emptied boards go with the next round, which may be calling this very listener now.
  for (auto& watcher : at->second.watchers)
    if (watcher.number == number_) watcher.on_top = nullptr;
}

live_boards::live_boards(asio::io_context& io, service& boards, std::int64_t limit,
                         std::chrono::milliseconds interval)
    : boards_(boards), limit_(limit), interval_(interval), all_(std::make_shared<state>(io)) {}

live_boards::interest live_boards::watch(std::string board, listener on_top) {
  const bool first = all_->boards.empty();
  interest mine;
  mine.all_ = all_;
  mine.number_ = ++all_->last_number;
  mine.board_ = board;
  all_->boards[std::move(board)].watchers.push_back({mine.number_, std::move(on_top)});
  if (first) all_->watched.set();
  return mine;
}

awaitable<void> live_boards::run() {
  repeat how{.interval = interval_,
             .counts_from_end = true,
             .failed = "live_boards_failed",
             .pauses_first = true,
             .wake = &all_->watched,
             .is_idle = [all = all_] { return all->boards.empty(); }};
  return repeat_every(std::move(how), [this] { return refresh(); });
}

awaitable<void> live_boards::refresh() {
  const auto all = all_;
  std::vector<std::string> names;
  for (auto at = all->boards.begin(); at != all->boards.end();) {
    at->second.watchers.remove_if([](const auto& w) { return !w.on_top; });
    if (at->second.watchers.empty()) {
      at = all->boards.erase(at);
      continue;
    }
    names.push_back((at++)->first);
  }
  const auto versions = co_await boards_.versions(names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    try {
      co_await look_at(names[i], versions.at(i));
    } catch (const failure& e) {
      // One board that cannot be read does not hold the others back.
      log::debug("live_board_failed", {{"board", names[i]}, {"error", e.what()}});
    }
  }
}

awaitable<void> live_boards::look_at(std::string name, std::int64_t version) {
  const auto all = all_;
  auto& board = all->boards[name];
  if (!board.top || version != board.seen) {
    auto page = co_await boards_.page(name, 1, limit_);
    board.seen = page.settled ? page.version : -1;
    if (!board.top || board.top->entries != page.entries) {
      board_top top{name, page.version, page.total, std::move(page.entries)};
      board.top = std::make_shared<const board_top>(std::move(top));
    }
  }
  // Listeners may watch and end while they are called: no iterator of a list is harmed by that.
  for (auto& watcher : board.watchers) {
    if (!watcher.on_top || watcher.told == board.top->version) continue;
    watcher.told = board.top->version;
    const auto tell = watcher.on_top;
    tell(board.top);
  }
}

}  // namespace skirmish::leaderboards
