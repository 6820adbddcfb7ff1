#include "interactions/interactions_feature.hpp"

#include "interactions/completions_routes.hpp"
#include "interactions/event_log_routes.hpp"

#include <boost/asio/co_spawn.hpp>

namespace skirmish::interactions {

feature::feature(asio::io_context& io, redis::client& redis, redis::client& commits,
                 redis::client* flushes, const redis::key_space& keys, const clock& time,
                 metrics::registry& metrics, feature_settings s)
    : io_(io),
      keys_(keys),
      clock_(time),
      settings_(std::move(s)),
      engine_(io, redis, commits, keys, time, settings_.engine, metrics),
      event_log_(redis, keys, time),
      attack_records_(redis, keys, time),
      activity_(redis, keys, time, settings_.engine.committer.commit.slice_length,
                settings_.engine.committer.commit.actions_limit),
      pending_(io, redis, keys, time) {
  engine_.slow_down_by(pending_);
  if (!flushes) return;
  flushers_.emplace(*flushes, keys, time, settings_.engine.committer.commit);
  pending_.show_in(metrics);
}

std::optional<std::pair<std::int64_t, std::chrono::milliseconds>> feature::pending_figures() const {
  const auto known = pending_.state();
  if (!known) return std::nullopt;
  return std::pair(known->bytes(), pending_.age());
}

void feature::add_to(http::router& routes, realtime::gateway& gateway) {
  add_routes(routes, engine_, clock_, settings_.limits);
  add_completion_routes(routes, engine_);
  add_routes(routes, attack_records_);
  add_routes(routes, event_log_);
  add_messages(gateway, engine_, clock_, settings_.limits);
  add_streams(gateway, engine_, keys_);
}

void feature::start(task_group& group) {
  group.keep_running("interactions", [this] { return engine_.run(); });
  group.keep_running("pending_watch", [this] { return pending_.run(flushers_.has_value()); });
}

void feature::start_on_first(task_group& group) {
  if (settings_.log_age.count() > 0)
    group.keep_running("event_log_trimmer",
                       [this] { return event_log_.run_trimmer(settings_.log_age); });
  auto& redis = flushers_.value().redis;
  group.keep_running("activity_flusher", [this, &redis] {
    const auto work = [this] { return flushers_->activity.run_flusher(); };
    return asio::co_spawn(redis.context(), work, use_awaitable);
  });
  group.keep_running("attack_flusher", [this, &redis] {
    const auto work = [this] { return flushers_->attacks.run(); };
    return asio::co_spawn(redis.context(), work, use_awaitable);
  });
}

awaitable<void> feature::flush_activity() {
  constexpr int rounds_max = 100;  // what comes in after that is newer than the call
  for (int i = 0; i < rounds_max; ++i) {
    const bool is_more_left = co_await activity_.flush_all();
    if (!is_more_left) co_return;
  }
}

awaitable<void> feature::stop() {
  engine_.stop();
  co_return;
}

}  // namespace skirmish::interactions
