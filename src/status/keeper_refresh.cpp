// The keeper's refresh: the database, then the game server, then a point of history.
#include "core/log.hpp"
#include "status/keeper.hpp"
#include "status/probe.hpp"

namespace skirmish::status {

// Constants first, so that a silent game server delays nobody.
awaitable<void> keeper::refresh_all() {
  refreshed_at_ = steady::now();
  was_first_due_ = true;
  co_await loading_.join();
  if (target_) co_await observing_.join();
  if (target_ || is_loaded_) co_await remember();
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
  const bool acts = may_lead_ && (board_.is_leader || !board_.is_redis_up);
  probe_again_at_ =
      failed && acts ? steady::now() + settings_.status.probe_retry : steady::time_point::max();

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
