#include "app_thread.hpp"

#include "achievements/achievements_feature.hpp"
#include "activity/activity_feature.hpp"
#include "apikeys/apikeys_feature.hpp"
#include "audit/audit_feature.hpp"
#include "bans/bans_feature.hpp"
#include "chat/chat_feature.hpp"
#include "console/console_feature.hpp"
#include "core/log.hpp"
#include "core/run_loop.hpp"
#include "diagnostics/diagnostics_feature.hpp"
#include "feature_settings.hpp"
#include "game_servers/game_servers_feature.hpp"
#include "health/health_feature.hpp"
#include "http/openapi.hpp"
#include "interactions/interactions_feature.hpp"
#include "interactions/interactions_keys.hpp"
#include "inventory/inventory_feature.hpp"
#include "jobs/jobs_feature.hpp"
#include "leaderboards/leaderboards_feature.hpp"
#include "levels/levels_feature.hpp"
#include "live_metrics/live_metrics_feature.hpp"
#include "notifications/notifications_feature.hpp"
#include "players/players_feature.hpp"
#include "positions/positions_feature.hpp"
#include "positions/positions_keys.hpp"
#include "request_limits/request_limits_feature.hpp"
#include "state/state_feature.hpp"
#include "status/status_feature.hpp"
#include "tasks/tasks_feature.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish {
namespace {

using namespace std::chrono_literals;

// A function of its own: g++ 12 miscompiles the list of fields in the coroutine.
void log_left(const task_group& tasks) {
  log::warn("tasks_left_at_shutdown", {{"count", tasks.size()}});
}

// A level of this name, unless there is one.
awaitable<void> make_level(levels::service& levels, std::string id, std::string name) {
  levels::level fresh;
  fresh.level_id = std::move(id);
  fresh.name = std::move(name);
  const auto made = co_await levels.create(std::move(fresh));
  if (!made && made.error().code != errc::already_exists)
    throw failure(made.error().code, made.error().message);
}

// A socket of an operator who may change something is noted first.
awaitable<void> serve_socket(realtime::gateway& gateway, audit::log& changes, http::exchange& x,
                             http::websocket& socket) {
  const auto& allowed = x.who.allowed;
  const bool may_change =
      allowed.allow(http::scope::events, false) || allowed.allow(http::scope::chat, false);
  bool is_noted = true;
  if (x.who.as == http::role::admin && may_change) {
    try {
      co_await changes.note_socket(x);
    } catch (const failure& e) {
      log::warn("websocket_refused", {{"request_id", x.request_id}, {"error", e.what()}});
      is_noted = false;
    }
  }
  if (!is_noted) socket.close(http::ws::close_code::reconnect, "the store is down; reconnect");
  co_await gateway.serve(x, socket);
}

// The last steps of docs/api.md#deleting.
awaitable<void> forget_player(interactions::feature& events, activity::window& active,
                              leaderboards::service& boards, chat::service& chat,
                              std::string player_id) {
  co_await events.flush_activity();
  co_await active.forget_player(player_id);
  co_await boards.forget_player(player_id);
  co_await chat.forget_player(player_id);
}

awaitable<void> forget_level(leaderboards::service& boards, chat::service& chat,
                             std::string level_id) {
  co_await boards.delete_level_board(level_id);
  co_await chat.remove_channel("level:" + level_id);
}

}  // namespace

app_thread::app_thread(const shared_parts& shared, const listen_addresses& at, std::size_t number)
    : commits_(shared.redis, fmt::format("skirmish-commits-{}", number)),
      redis_(io_, shared.redis, fmt::format("skirmish-{}", number)),
      subscriber_(io_, shared.redis, fmt::format("skirmish-sub-{}", number)),
      caches_(io_, redis_, group_,
              {.space = shared.keys,
               .flights = shared.flights,
               .metrics = &shared.metrics,
               .time = &shared.time,
               .hooks = shared.hooks}),
      sql_(shared.sql),
      verifier_(shared.keys_of_callers),
      gateway_(io_, subscriber_, shared.keys.prefix(), shared.revoked, shared.time, shared.metrics),
      router_([this](const http::request& r) { return authenticate(r); }, shared.metrics),
      features_(router_, gateway_),
      is_first_(number == 0),
      listener_(http::listen(io_, at.plain), shared.settings, router_, shared.metrics,
                shared.connections) {
  addresses_.plain = listener_.endpoint();
  if (at.tls) {
    tls_listener_.emplace(http::listen(io_, *at.tls), shared.settings, router_, shared.metrics,
                          shared.connections, shared.certificate);
    addresses_.tls = tls_listener_->endpoint();
  }
  const auto still_admitted = [this](http::principal who) {
    return is_still_admitted(std::move(who));
  };
  router_.check_again_by(still_admitted);
  gateway_.check_again_by(still_admitted);
  gateway_.on_use([this](const http::principal& who, bool was_used) {
    if (was_used && who.as >= http::role::server) verifier_.note_use(who.id);
    if (who.as == http::role::player) sessions_->sessions().note_use(who.id, who.session, was_used);
  });
  if (is_first_) flushes_.emplace(shared.redis, "skirmish-flush");
  add_features(shared);
}

app_thread::~app_thread() { stop(); }

// A feature is switched on by its line here, and nowhere else.
void app_thread::add_features(const shared_parts& shared) {
  const config& c = shared.settings;
  const clock& time = shared.time;
  const redis::key_space& keys = shared.keys;
  auto& metrics = shared.metrics;
  auto& db = shared.db;
  auto& f = features_;
  const tasks::key_names task_keys{
      .prefix = keys.prefix(), .result_prefix = keys.prefix(), .database = shared.redis.database};
  const auto game = game_settings_of(c);
  const auto hash = [&hasher = shared.hasher](std::string password) {
    return hasher.hash(std::move(password));
  };

  auto& limits = f.add<request_limits::feature>(redis_, keys, metrics, c.rate_limits).limits();
  auto& accounts = f.add<players::feature>(io_, db, sql_, redis_, caches_, keys, time, hash,
                                           interactions::parse_line, c.interactions.actions_limit);
  auto& players = accounts.players();
  sessions_ = &f.add<sessions::feature>(
      redis_, db, keys, time, shared.hasher, session_settings_of(c), issuers_of(c),
      [&accounts](std::string player_id, std::string name) {
        return accounts.ensure(std::move(player_id), std::move(name));
      });
  f.add<bans::feature>(redis_, keys, time);
  router_.refuse_banned(shared.bans);
  gateway_.refuse_banned(shared.bans);
  sessions_->refuse_banned(shared.bans);
  auto& state =
      f.add<state::feature>(redis_, keys, players, state_settings_of(c), recovery_settings_of(c));
  auto& changes = f.add<audit::feature>(redis_, db, keys, time, c.audit.keep).changes();
  console_ = &f.add<console::feature>(
      redis_, db, keys, time, metrics, verifier_, changes,
      console::site_settings{c.site.name, c.site.text, c.site.shows, c.site.boards});
  f.add<diagnostics::feature>(redis_, db, keys, time, metrics, c, shared.sources,
                              [&threads = shared.threads] { return threads.size(); });
  f.add<apikeys::feature>(redis_, db, keys, time, verifier_);
  f.add<positions::feature>(io_, redis_, keys, time, console_->map_cell_km());
  auto& levels =
      f.add<levels::feature>(db, sql_, redis_, caches_, keys, time, c.levels.popular_refresh, game)
          .levels();
  auto& boards = f.add<leaderboards::feature>(io_, redis_, keys, time, group_,
                                              http::allowed_sites(c.status.cors_origins))
                     .boards();
  f.add<inventory::feature>(redis_, keys, players);
  f.add<achievements::feature>(redis_, keys, time, players, game);
  auto& chat = f.add<chat::feature>(io_, redis_, subscriber_, keys, time, group_, metrics,
                                    chat_settings_of(c))
                   .chat();
  f.add<status::feature>(shared.status, c, time, metrics);
  auto& game_events = f.add<interactions::feature>(
      io_, redis_, commits_.client(), flushes_ ? &flushes_->client() : nullptr, keys, time, metrics,
      interactions_settings_of(c, players, levels, limits));
  f.add<game_servers::feature>(
      io_, game_events.events(), redis_, keys, time,
      [&accounts](std::string id, std::string name) {
        return accounts.ensure(std::move(id), std::move(name));
      },
      [&levels](std::string id, std::string name) {
        return make_level(levels, std::move(id), std::move(name));
      },
      chat_rules_of(c), shared.game_server_logs, game_server_settings_of(c), metrics);
  auto& active = f.add<activity::feature>(io_, redis_, keys, time, gateway_, window_settings_of(c),
                                          c.activity.sweeper != 0, metrics)
                     .active();
  f.add<tasks::feature>(
      io_, redis_, subscriber_, task_keys, shared.task_overview,
      tasks::feature_settings{send_queues_of(c), static_cast<std::size_t>(c.tasks.history_limit)});
  f.add<notifications::feature>(
      redis_, subscriber_, keys, time, group_,
      notifications::settings{c.notifications.limit, c.notifications.text_limit_chars});
  f.add<jobs::feature>(io_, redis_, db, time, task_keys);
  f.add<live_metrics::feature>(
      io_, redis_, time, metrics,
      live_metrics::redis_sources{[&game_events] { return game_events.pending_figures(); },
                                  positions::positions_key(keys)},
      shared.recent_samples);
  f.add<health::feature>(
      redis_, keys.key("ready"), db, metrics, shared.prepared, [&threads = shared.threads] {
        return std::ranges::all_of(threads, [](const auto& t) { return t->is_connected(); });
      });

  game_events.on_completions([&levels] { levels.popularity_changed(); });
  accounts.on_removing([&state](std::string id) { return state.forget_player(std::move(id)); });
  players.on_removed(
      [this](std::string id) { return sessions_->sessions().announce_end_of_all(std::move(id)); });
  players.on_forgotten([&game_events, &active, &boards, &chat](std::string id) {
    return forget_player(game_events, active, boards, chat, std::move(id));
  });
  levels.on_removed(
      [&boards, &chat](std::string id) { return forget_level(boards, chat, std::move(id)); });
  sessions_->sessions().on_revoked([this](const sessions::revocation& r) {
    gateway_.close_where([&r](const http::principal& who) {
      return who.as == http::role::player && r.ends(who.id, who.session);
    });
  });
  router_.add_websocket("/api/ws", [this, &changes](http::exchange& x, http::websocket& socket) {
    return serve_socket(gateway_, changes, x, socket);
  });
  http::add_documentation(router_);
  // When all routes and messages are there.
  router_.limit_by(limits);
  gateway_.limit_by(limits);
  limits.targets_complete();
}

awaitable<result<http::principal>> app_thread::authenticate(const http::request& r) {
  auto key = std::string(r.header("x-api-key"));
  if (key.empty()) key = game_servers::key_in_query(r);
  if (!key.empty()) co_return co_await verifier_.verify(std::move(key));
  if (auto who = co_await sessions_->authenticate(r)) co_return std::move(*who);
  if (auto who = co_await console_->authenticate(r)) co_return std::move(*who);
  co_return http::principal{};
}

awaitable<bool> app_thread::is_still_admitted(http::principal who) {
  if (who.as >= http::role::server && !verifier_.is_still_valid(who)) co_return false;
  if (who.as >= http::role::server) {
    if (who.session.empty()) co_return true;
    const auto logged_in = co_await console_->sessions().check_digest(std::move(who.session));
    co_return logged_in.has_value();
  }
  if (who.as == http::role::anonymous) co_return true;
  const auto found = co_await sessions_->sessions().check_digest(std::move(who.session));
  co_return found.has_value();
}

void app_thread::start() {
  commits_.start();
  if (flushes_) flushes_->start();
  connections_.keep_running("redis", [this] { return redis_.run(); });
  connections_.keep_running("redis_subscriber", [this] { return subscriber_.run(); });
  // Shared by all threads, and it asks twice per second: one is enough.
  if (is_first_) group_.keep_running("sql_reachability", [this] { return sql_.run(); });
  group_.keep_running("revoked_sockets", [this] { return gateway_.close_revoked(); });
  features_.start(group_, is_first_);
  listener_.start(group_);
  if (tls_listener_) tls_listener_->start(group_);
  thread_ = std::thread([this] { run_loop(io_); });
}

void app_thread::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { control_.spawn("shut_down", [this] { return shut_down(); }); });
  thread_.join();
  commits_.stop();
  if (flushes_) flushes_->stop();
  io_.drop_waiting();
}

awaitable<void> app_thread::shut_down() {
  const stop_at_exit end{io_};
  listener_.stop();
  if (tls_listener_) tls_listener_->stop();
  const auto open_connections = [this] {
    return listener_.open_connections() + (tls_listener_ ? tls_listener_->open_connections() : 0);
  };
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  asio::steady_timer pause(io_);
  while (open_connections() > 0 && std::chrono::steady_clock::now() < deadline) {
    pause.expires_after(10ms);
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  co_await features_.stop();
  group_.close();
  const bool have_ended = co_await group_.wait(2s);
  if (!have_ended) log_left(group_);
  redis_.stop();
  subscriber_.stop();
  connections_.close();
  co_await connections_.wait(2s);
}

}  // namespace skirmish
