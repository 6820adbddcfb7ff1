#include "app_thread.hpp"

#include "achievements/achievements_routes.hpp"
#include "apikeys/apikeys_routes.hpp"
#include "audit/audit_routes.hpp"
#include "bans/bans_routes.hpp"
#include "builtin_tasks/builtin_service.hpp"
#include "chat/chat_routes.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"
#include "core/run_loop.hpp"
#include "http/json_schema.hpp"
#include "http/openapi.hpp"
#include "interactions/event_log_routes.hpp"
#include "interactions/interactions_routes.hpp"
#include "inventory/inventory_routes.hpp"
#include "jobs/jobs_routes.hpp"
#include "leaderboards/leaderboards_routes.hpp"
#include "levels/completions_routes.hpp"
#include "levels/levels_routes.hpp"
#include "notifications/notifications_routes.hpp"
#include "players/old_keys.hpp"
#include "players/players_routes.hpp"
#include "positions/positions_routes.hpp"
#include "request_limits/request_limits_routes.hpp"
#include "status/status_routes.hpp"
#include "tasks/admin/history.hpp"
#include "tasks/tasks_keys.hpp"
#include "tasks/tasks_routes.hpp"
#include "tasks/worker/worker_main.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

interactions::game_settings game_settings_of(const config& c) {
  interactions::game_settings s;
  s.chat_history_limit = c.chat.history_limit;
  s.chat_history_ttl = std::chrono::duration_cast<std::chrono::seconds>(c.chat.history_ttl);
  auto rules = achievements::parse_rules(c.achievements.rules);
  if (!rules) throw failure(errc::invalid_argument, rules.error().message);
  s.achievement_rules = std::move(*rules);
  return s;
}

chat::channel_rules chat_rules_of(const config& c) {
  chat::channel_rules rules;
  rules.text_limit_chars = c.chat.text_limit_chars;
  rules.open.clear();
  std::istringstream names(c.chat.channels);
  for (std::string name; std::getline(names >> std::ws, name, ',');) {
    name.erase(name.find_last_not_of(' ') + 1);
    if (!is_valid_id(name) || name.find(':') != std::string::npos || name == "activity" ||
        name == "status")
      throw failure(errc::invalid_argument, "chat.channels: `" + name + "` cannot be a channel");
    rules.open.push_back(name);
  }
  return rules;
}

chat::settings chat_settings_of(const config& c) {
  chat::settings s;
  s.game = game_settings_of(c);
  s.rules = chat_rules_of(c);
  s.rate_per_s = c.chat.rate_per_s;
  s.burst = c.chat.burst;
  s.key_rate_per_s = c.chat.key_rate_per_s;
  s.key_burst = c.chat.key_burst;
  return s;
}

// Each once, as they are shown to callers.
std::vector<std::string> send_queues_of(const config& c) {
  auto named = tasks::parse_queues(c.tasks.send_queues);
  for (const auto& [name, weight] : named)
    if (!tasks::is_queue_name(name))
      throw failure(errc::invalid_argument, "tasks.send_queues: `" + name + "` cannot be a queue");
  std::ranges::move(tasks::parse_queues(c.tasks.queues), std::back_inserter(named));
  std::vector<std::string> out{"celery", tasks::builtin::queue};
  for (auto& [name, weight] : named)
    if (tasks::is_queue_name(name) && std::ranges::find(out, name) == out.end())
      out.push_back(std::move(name));
  return out;
}

sessions::settings session_settings_of(const config& c) {
  return {c.sessions.idle_ttl, c.sessions.lifetime, c.sessions.per_player};
}

sessions::issuers issuers_of(const config& c) {
  if (c.sessions.issuers_file.empty()) return {};
  auto loaded = sessions::issuers::load(c.sessions.issuers_file);
  if (!loaded)
    throw failure(errc::invalid_argument, "sessions.issuers_file: " + loaded.error().message);
  return std::move(*loaded);
}

state::settings state_settings_of(const config& c) {
  const auto& s = c.state;
  return {{s.entries_limit, s.bytes_limit}, {s.player_entries_limit, s.player_bytes_limit}};
}

state::recovery_settings recovery_settings_of(const config& c) {
  return {c.state.snapshots, c.state.recovery_keys_limit, c.state.recovery_ttl};
}

activity::window_settings window_settings_of(const config& c) {
  using std::chrono::seconds;
  activity::window_settings s;
  s.slice = std::chrono::duration_cast<seconds>(c.activity.slice);
  s.length = std::chrono::duration_cast<seconds>(c.activity.window);
  return s;
}

interactions::engine_settings engine_settings_of(const config& c, players::service& players,
                                                 levels::service& levels) {
  interactions::engine_settings s;
  s.committer.restore_players = [&players](std::vector<std::string> ids) {
    return players.restore_live(std::move(ids));
  };
  s.committer.restore_levels = [&levels](std::vector<std::string> ids) {
    return levels.restore_popularity(std::move(ids));
  };
  s.committer.commit.game = game_settings_of(c);
  s.committer.commit.actions_limit = c.interactions.actions_limit;
  s.committer.commit.log_limit = c.interactions.log_limit;
  s.committer.commit.event_ids_limit = c.interactions.event_ids_limit;
  s.committer.commit.slice_length = window_settings_of(c).slice;
  s.commit_limit = static_cast<std::size_t>(c.interactions.commit_limit);
  s.queue_limit = static_cast<std::size_t>(c.interactions.queue_limit);
  return s;
}

// A function of its own: g++ 12 miscompiles the list of fields in the coroutine.
void log_left(const task_group& tasks) {
  log::warn("tasks_left_at_shutdown", {{"count", tasks.size()}});
}

// "ok", or why not. Runs one check of /readyz.
template <class Check>
awaitable<std::string> outcome_of(Check check) {
  try {
    co_await check();
    co_return "ok";
  } catch (const failure& e) {
    log::warn("not_ready", {{"error", e.what()}});
    co_return "unavailable";
  }
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
               .time = &shared.time}),
      sql_(shared.sql),
      verifier_(shared.keys_of_callers),
      key_store_(shared.db, shared.time),
      audit_(redis_, shared.db, shared.keys, shared.time),
      bans_(redis_, shared.keys, shared.time),
      sessions_(io_, redis_, shared.db, shared.keys, shared.time, shared.hasher,
                session_settings_of(shared.settings), issuers_of(shared.settings),
                [this](std::string player_id, std::string name) {
                  return create_player(std::move(player_id), std::move(name));
                }),
      players_(shared.db, shared.sql, redis_, caches_, shared.keys, shared.time,
               shared.settings.db.demo_delay),
      levels_(shared.db, shared.sql, redis_, caches_, shared.keys, shared.time),
      leaderboards_(redis_, shared.keys, shared.time),
      busy_leaderboards_(leaderboards_, group_),
      live_boards_(io_, leaderboards_, leaderboards::live_channel::limit_max),
      live_leaderboards_(live_boards_, group_),
      inventories_(redis_, shared.keys),
      state_(redis_, shared.keys, players_, state_settings_of(shared.settings),
             recovery_settings_of(shared.settings)),
      achievements_(redis_, shared.keys, shared.time, game_settings_of(shared.settings)),
      engine_(io_, redis_, commits_.client(), shared.keys, shared.time,
              engine_settings_of(shared.settings, players_, levels_), shared.metrics),
      limits_(io_, redis_, shared.keys, shared.metrics, shared.settings.rate_limits),
      gateway_(io_, subscriber_, shared.keys.prefix(), shared.revoked, shared.time, shared.metrics),
      keys_(shared.keys),
      task_keys_{.prefix = shared.keys.prefix(),
                 .result_prefix = shared.keys.prefix(),
                 .database = shared.redis.database},
      chat_(redis_, shared.keys, shared.time, chat_settings_of(shared.settings)),
      presence_(io_, redis_, shared.keys, shared.time),
      hub_(io_, chat_, presence_, subscriber_, group_, shared.metrics),
      notifications_(
          redis_, shared.keys, shared.time,
          {shared.settings.notifications.limit, shared.settings.notifications.text_limit_chars}),
      notifier_(notifications_, subscriber_, shared.keys, group_),
      jobs_(shared.db, shared.time),
      level_writer_(io_, shared.db, redis_, shared.keys, shared.time),
      popular_refresher_(io_, redis_, shared.keys, levels_, shared.settings.levels.popular_refresh,
                         game_settings_of(shared.settings)),
      positions_(redis_, shared.keys),
      near_(io_, positions_),
      window_(io_, redis_, shared.keys, shared.time, window_settings_of(shared.settings),
              shared.metrics),
      pulse_(io_, redis_, shared.keys, gateway_),
      event_log_(redis_, shared.keys, shared.time),
      attack_records_(redis_, shared.keys, shared.time),
      pending_acts_(io_, redis_, shared.keys, shared.time,
                    window_settings_of(shared.settings).slice,
                    shared.settings.interactions.actions_limit),
      log_age_(shared.settings.interactions.log_age),
      audit_keep_(shared.settings.audit.keep),
      sweeps_(number == 0 && shared.settings.activity.sweeper != 0),
      first_(number == 0),
      status_(shared.status, shared.settings, shared.time, shared.metrics),
      router_([this](const http::request& r) { return authenticate(r); }, shared.metrics),
      listener_(http::listen(io_, at.plain), shared.settings, router_, shared.metrics,
                shared.connections) {
  addresses_.plain = listener_.endpoint();
  if (at.tls) {
    tls_listener_.emplace(http::listen(io_, *at.tls), shared.settings, router_, shared.metrics,
                          shared.connections, shared.certificate);
    addresses_.tls = tls_listener_->endpoint();
  }
  players_.set_actions_limit(shared.settings.interactions.actions_limit);
  add_operations(shared);
  add_features(shared);
  http::add_documentation(router_);
  router_.limit_by(limits_);
  gateway_.limit_by(limits_);
  limits_.targets_complete();
}

app_thread::~app_thread() { stop(); }

// A feature is registered here, and nowhere else.
void app_thread::add_features(const shared_parts& shared) {
  const interactions::event_limits limits{
      static_cast<std::size_t>(shared.settings.interactions.batch_limit),
      chat_rules_of(shared.settings), &limits_, limits_.add_target("EVENT", "chat")};
  sessions_.add_to(router_);
  sessions_.sessions().on_revoked([this](const sessions::revocation& r) {
    gateway_.close_where([&r](const http::principal& who) {
      return who.as == http::role::player && r.ends(who.id, who.session);
    });
  });
  players::add_routes(
      router_, players_,
      [this](std::string password) { return sessions_.hash(std::move(password)); },
      [this](std::string id) { return state_.forget_player(std::move(id)); });
  players_.on_removed(
      [this](std::string id) { return sessions_.sessions().announce_end_of_all(std::move(id)); });
  state_.add_to(router_);
  add_api_key_routes(router_, key_store_, redis_, keys_);
  audit::add_routes(router_, shared.db);
  router_.record_changes(audit_);
  bans::add_routes(router_, bans_, shared.time);
  router_.refuse_banned(shared.bans);
  gateway_.refuse_banned(shared.bans);
  sessions_.refuse_banned(shared.bans);
  gateway_.on_use([this](const http::principal& who, bool was_used) {
    if (was_used && who.as >= http::role::server) verifier_.note_use(who.id);
    if (who.as == http::role::player) sessions_.sessions().note_use(who.id, who.session, was_used);
  });
  const auto still_admitted = [this](http::principal who) {
    return is_still_admitted(std::move(who));
  };
  router_.check_again_by(still_admitted);
  gateway_.check_again_by(still_admitted);
  positions::add_routes(router_, positions_);
  gateway_.on_channel("near:", near_.kind());
  levels::add_routes(router_, levels_);
  leaderboards::add_routes(router_, leaderboards_, busy_leaderboards_);
  live_leaderboards_.add_to(gateway_);
  levels::add_completion_routes(router_, engine_);
  inventory::add_routes(router_, inventories_, players_);
  achievements::add_routes(router_, achievements_, players_);
  chat::add_routes(router_, chat_, presence_);
  chat::add_messages(gateway_, chat_, hub_);
  status::add_routes(router_, status_);
  interactions::add_routes(router_, engine_, shared.time, limits);
  interactions::add_routes(router_, attack_records_);
  interactions::add_routes(router_, event_log_);
  interactions::add_messages(gateway_, engine_, shared.time, limits);
  interactions::add_streams(gateway_, engine_, shared.keys);
  tasks::add_routes(router_, io_, redis_, task_keys_, send_queues_of(shared.settings));
  notifications::add_routes(router_, notifications_);
  notifications::add_channel(gateway_, notifier_);
  request_limits::add_routes(router_, limits_);
  jobs::add_routes(router_, jobs_, {io_, redis_, task_keys_});
  history_ = std::make_unique<tasks::history_recorder>(io_, redis_, subscriber_, task_keys_);
  gateway_.on_channel("activity", {.render = [](std::string_view, std::string_view payload) {
                        return fmt::format(R"({{"event":{{"channel":"activity","data":{}}}}})",
                                           payload);
                      }});
  gateway_.on_channel("status", {.render = [](std::string_view, std::string_view payload) {
                        return fmt::format(R"({{"event":{{"channel":"status","data":{}}}}})",
                                           payload);
                      }});
  router_.add_websocket("/api/ws", [this](http::exchange& x, http::websocket& socket) {
    return serve_socket(x, socket);
  });
}

void app_thread::add_operations(const shared_parts& shared) {
  auto live = [](http::exchange&) -> awaitable<http::response> {
    co_return http::text_response("ok\n");
  };
  auto ready = [this, &shared_db = shared.db, &prepared = shared.prepared,
                &threads = shared.threads](http::exchange&) -> awaitable<http::response> {
    auto ask_redis = [this, &threads]() -> awaitable<void> {
      // Another request may come to another thread.
      for (const auto& t : threads)
        if (!t->is_connected()) throw failure(errc::unavailable, "a thread has no connection");
      redis::checked(co_await redis_.command("PING"));
    };
    auto ask_sql = [&shared_db]() -> awaitable<void> { co_await shared_db.ping(); };
    const auto redis = co_await outcome_of(ask_redis);
    const auto sql = co_await outcome_of(ask_sql);
    const bool all = redis == "ok" && sql == "ok" && prepared.load();
    json::object body{
        {"ready", all}, {"redis", redis}, {"sql", sql}, {"prepared", prepared.load()}};
    co_return http::json_response(body, all ? 200 : 503);
  };
  auto metrics = [&all = shared.metrics](http::exchange&) -> awaitable<http::response> {
    co_return http::text_response(all.text(), "text/plain; version=0.0.4");
  };
  using http::access;
  using http::verb;
  namespace schema = http::schema;
  router_.add({verb::get, "/healthz", access::anyone, "Is the process alive?", live})
      .gives_text("text/plain")
      .costs(0);
  const auto state = schema::object({{"ready", schema::boolean()},
                                     {"redis", schema::text()},
                                     {"sql", schema::text()},
                                     {"prepared", schema::boolean()}});
  router_
      .add({verb::get,
            "/readyz",
            access::anyone,
            "Can it serve? Names the backend that is down",
            ready,
            {},
            {},
            "200 when ready, 503 when not."})
      .gives(200, state)
      .gives(503, state)
      .costs(0);
  router_.add({verb::get, "/metrics", access::anyone, "Metrics as Prometheus text", metrics})
      .gives_text("text/plain")
      .costs(0);
}

awaitable<result<http::principal>> app_thread::authenticate(const http::request& r) {
  const auto key = r.header("x-api-key");
  if (!key.empty()) co_return co_await verifier_.verify(std::string(key));
  if (auto who = co_await sessions_.authenticate(r)) co_return std::move(*who);
  co_return http::principal{};
}

awaitable<bool> app_thread::is_still_admitted(http::principal who) {
  if (who.as >= http::role::server) co_return verifier_.is_still_valid(who);
  if (who.as == http::role::anonymous) co_return true;
  const auto found = co_await sessions_.sessions().check_digest(std::move(who.session));
  co_return found.has_value();
}

// For the first login of one whom a trusted issuer knows.
awaitable<void> app_thread::create_player(std::string player_id, std::string name) {
  players::profile fresh;
  fresh.player_id = std::move(player_id);
  fresh.name = std::move(name);
  const auto made = co_await players_.create(std::move(fresh));
  if (!made && made.error().code != errc::already_exists)
    throw failure(made.error().code, made.error().message);
}

// A socket of an operator who may change something is noted first.
awaitable<void> app_thread::serve_socket(http::exchange& x, http::websocket& socket) {
  const auto& allowed = x.who.allowed;
  const bool may_change =
      allowed.allow(http::scope::events, false) || allowed.allow(http::scope::chat, false);
  bool is_noted = true;
  if (x.who.as == http::role::admin && may_change) {
    try {
      co_await audit_.note_socket(x);
    } catch (const failure& e) {
      log::warn("websocket_refused", {{"request_id", x.request_id}, {"error", e.what()}});
      is_noted = false;
    }
  }
  if (!is_noted) socket.close(http::ws::close_code::reconnect, "the store is down; reconnect");
  co_await gateway_.serve(x, socket);
}

void app_thread::start() {
  commits_.start();
  group_.keep_running("redis", [this] { return redis_.run(); });
  group_.keep_running("redis_subscriber", [this] { return subscriber_.run(); });
  group_.keep_running("interactions", [this] { return engine_.run(); });
  sessions_.start(group_);
  group_.keep_running("rate_limits", [this] { return limits_.run(); });
  group_.keep_running("presence", [this] { return presence_.run(); });
  if (first_) {
    group_.keep_running("audit_mover", [this] { return audit_.run_mover(io_, audit_keep_); });
    group_.keep_running("key_uses", [this] { return verifier_.run_use_writer(io_); });
    group_.keep_running("sql_reachability", [this] { return sql_.run(); });
    group_.spawn("old_keys", [this] { return players::move_old_keys(io_, redis_, keys_); });
    group_.keep_running("level_writer", [this] { return level_writer_.run(); });
    group_.keep_running("popular_refresher", [this] { return popular_refresher_.run(); });
    group_.keep_running("positions_pruner", [this] { return positions_.run_pruner(io_); });
    group_.keep_running("event_log_trimmer",
                        [this] { return event_log_.run_trimmer(io_, log_age_); });
    group_.keep_running("acts_filer", [this] { return pending_acts_.run_filer(); });
    group_.keep_running("attack_filer", [this] { return attack_records_.run_filer(io_); });
    group_.keep_running("task_history", [this] { return history_->run(); });
  }
  group_.keep_running("revoked_sockets", [this] { return gateway_.close_revoked(); });
  group_.keep_running("near", [this] { return near_.run(); });
  group_.keep_running("pulse", [this] { return pulse_.run(); });
  if (sweeps_) group_.keep_running("activity_window", [this] { return window_.run(); });
  group_.keep_running("leaderboard_closer", [this] { return leaderboards_.run_closer(); });
  group_.keep_running("live_leaderboards", [this] { return live_boards_.run(); });
  listener_.start(group_);
  if (tls_listener_) tls_listener_->start(group_);
  thread_ = std::thread([this] { run_loop(io_); });
}

void app_thread::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { control_.spawn("shut_down", [this] { return shut_down(); }); });
  thread_.join();
  commits_.stop();
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
  engine_.stop();
  try {
    co_await presence_.leave_all();
  } catch (...) {
    log::warn("presence_not_left", {{"error", message_of(std::current_exception())}});
  }
  redis_.stop();
  subscriber_.stop();
  group_.close();
  const bool have_ended = co_await group_.wait(2s);
  if (!have_ended) log_left(group_);
}

}  // namespace skirmish
