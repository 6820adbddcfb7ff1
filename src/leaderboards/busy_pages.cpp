#include "leaderboards/busy_pages.hpp"

#include "core/json_text.hpp"
#include "leaderboards/leaderboards_json.hpp"

namespace skirmish::leaderboards {

namespace json = boost::json;
using steady = std::chrono::steady_clock;

awaitable<std::shared_ptr<const std::string>> busy_pages::top(std::string board, std::int64_t limit,
                                                              bool now) {
  name page{std::move(board), limit};
  if (const auto* found = find(page); found && !now) {
    const auto text = found->text;
    if (steady::now() - found->read_at >= limits_.fresh) refresh(std::move(page));
    co_return text;
  }
  co_return co_await read(std::move(page));
}

busy_pages::kept_page* busy_pages::find(const name& page) {
  const auto at = kept_.find(page);
  if (at == kept_.end()) return nullptr;
  if (steady::now() - at->second.read_at < limits_.stale) return &at->second;
  kept_.erase(at);
  return nullptr;
}

// One at a time. When it fails, who asks after `stale` hears of that.
void busy_pages::refresh(name page) {
  auto& kept = kept_.at(page);
  if (kept.is_refreshing) return;
  kept.is_refreshing = true;
  tasks_.spawn("busy_page",
               [this, page = std::move(page)]() -> awaitable<void> { co_await read(page); });
}

awaitable<std::shared_ptr<const std::string>> busy_pages::read(name page) {
  const auto asked = steady::now();
  const auto found = co_await boards_.page(page.first, 1, page.second);
  auto text = std::make_shared<const std::string>(json_text_of(to_json(found)));
  if (found.unplaced > busy_above)
    keep(std::move(page), {text, asked, false});
  else
    kept_.erase(page);
  co_return text;
}

void busy_pages::keep(name page, kept_page made) {
  if (page.second > limit_max) return;
  if (const auto* newer = find(page); newer && newer->read_at > made.read_at) return;
  if (kept_.size() >= kept_max && !kept_.contains(page))
    std::erase_if(kept_,
                  [&](const auto& k) { return made.read_at - k.second.read_at >= limits_.stale; });
  if (kept_.size() < kept_max || kept_.contains(page))
    kept_.insert_or_assign(std::move(page), std::move(made));
}

}  // namespace skirmish::leaderboards
