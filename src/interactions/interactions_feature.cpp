#include "interactions/interactions_feature.hpp"

#include "interactions/completions_routes.hpp"
#include "interactions/event_log_routes.hpp"

namespace skirmish::interactions {

feature::feature(asio::io_context& io, redis::client& redis, redis::client& commits,
                 const redis::key_space& keys, const clock& time, metrics::registry& metrics,
                 feature_settings s)
    : io_(io),
      keys_(keys),
      clock_(time),
      settings_(std::move(s)),
      engine_(io, redis, commits, keys, time, settings_.engine, metrics),
      event_log_(redis, keys, time),
      attack_records_(redis, keys, time),
      pending_acts_(io, redis, keys, time, settings_.engine.committer.commit.slice_length,
                    settings_.engine.committer.commit.actions_limit) {}

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
}

void feature::start_on_first(task_group& group) {
  if (settings_.log_age.count() > 0)
    group.keep_running("event_log_trimmer",
                       [this] { return event_log_.run_trimmer(settings_.log_age); });
  group.keep_running("acts_filer", [this] { return pending_acts_.run_filer(); });
  group.keep_running("attack_filer", [this] { return attack_records_.run_filer(io_); });
}

awaitable<void> feature::stop() {
  engine_.stop();
  co_return;
}

}  // namespace skirmish::interactions
