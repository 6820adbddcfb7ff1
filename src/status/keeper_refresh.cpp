// The keeper's refresh: the database, then the game server, then a point of history.
#include "core/log.hpp"
#include "core/parse.hpp"
#include "status/keeper.hpp"
#include "status/probe.hpp"

#include <fmt/format.h>

namespace skirmish::status {

// Constants first, so that a silent game server delays nobody.
awaitable<void> keeper::refresh_all() {
  const auto begun = steady::now();
  refreshed_at_ = begun;
  was_first_due_ = true;
  fleet_.probe_all();
  co_await loading_.join();
  if (target_) co_await observing_.join();
  if (target_ || is_loaded_) co_await remember();
  if (is_loaded_) report_refresh(begun);
}

void keeper::report_refresh(steady::time_point begun) const {
  const auto now = point();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - begun);
  log::info("status_refreshed",
            {{"online", now.is_online},
             {"rate_exp", fmt::format("{}", known_->rate_exp)},
             {"players", now.players ? std::to_string(*now.players) : "unknown"},
             {"duration_ms", took.count()},
             {"next_in", to_text(interval_)}});
}

// A reader found no document and this process read the database for it. That is routine while the
// cache was emptied, and a sign of a dead status worker when none has refreshed for long.
void keeper::report_fill() const {
  const bool is_known = known_->scheduled_at != timestamp{};
  const auto since = clock_.now() - (is_known ? known_->scheduled_at : board_.started_at);
  const auto level = since >= board_.stale_limit() ? log::level::warn : log::level::info;
  log::write(level, "status_filled_for_a_reader",
             {{"last_scheduled_refresh", is_known ? to_rfc3339(known_->scheduled_at) : "unknown"},
              {"seconds_without_a_worker",
               std::chrono::duration_cast<std::chrono::seconds>(since).count()}});
}

awaitable<void> keeper::remember() {
  if (!board_.is_redis_up || !known_) co_return;
  try {
    co_await store_.append_history(point(), settings_.status.history_limit);
  } catch (const failure& e) {
    log::warn("status_history_not_written", {{"error", e.what()}});
  }
}

// Between refreshes, while the game server fails to answer: whether it turned is worth a point.
awaitable<void> keeper::probe_again() {
  const auto is_online = [this] { return known_ && known_->game && known_->game->is_online; };
  const bool was_online = is_online();
  co_await observing_.join();
  if (is_online() != was_online) co_await remember();
}

history_point keeper::point() const {
  history_point out;
  if (!known_->game) {
    out.is_online = known_->server_status > 0;
    return out;
  }
  out.is_online = known_->game->is_online;
  out.players = out.is_online ? known_->game->info.players : std::optional<std::int64_t>{0};
  out.max_players = known_->game->info.max_players;
  return out;
}

awaitable<void> keeper::observe() {
  probes_.add();
  auto seen = co_await probe(*target_, settings_.status.probe_timeout, clock_);
  const bool was_online = damper_.published() && damper_.published()->is_online;
  const bool failed = !seen.is_online;
  if (failed) {
    probe_failures_.add();
    log::warn("status_probe_failed", {{"server", authority(*target_)}, {"error", seen.problem}});
  }
  damper_.observe(std::move(seen));
  const bool is_online = damper_.published()->is_online;
  if (was_online != is_online)
    log::info("status_game_server", {{"server", authority(*target_)}, {"online", is_online}});
  // Until it answers, it is asked again soon, by those who act.
  probe_again_at_ =
      failed && acts() ? steady::now() + settings_.status.probe_retry : steady::time_point::max();

  if (!known_) co_return;
  known_->game = damper_.published();
  file_.save(*known_);
  const auto current = board_.get();
  if (!current) co_return;
  if (current->from != origin::cache) {
    publish(current->from, current->problem);
    co_return;
  }
  try {
    if (co_await store_.replace(*known_)) polled_text_ = to_json(*known_);
    publish(origin::cache);
  } catch (const failure& e) {
    lose_redis(e.what());
  }
}

}  // namespace skirmish::status
