// One server thread: its event loop, its connections and its services, in the order they are built.
#pragma once

#include "achievements/achievements.hpp"
#include "activity/pulse.hpp"
#include "activity/window.hpp"
#include "apikeys/apikeys.hpp"
#include "audit/audit.hpp"
#include "bans/ban_store.hpp"
#include "chat/chat.hpp"
#include "chat/hub.hpp"
#include "chat/presence.hpp"
#include "config.hpp"
#include "core/clock.hpp"
#include "core/run_loop.hpp"
#include "core/task_group.hpp"
#include "db/database.hpp"
#include "db/reachability.hpp"
#include "http/listener.hpp"
#include "http/router.hpp"
#include "interactions/attack_records.hpp"
#include "interactions/event_log.hpp"
#include "interactions/interactions.hpp"
#include "interactions/pending_acts.hpp"
#include "inventory/inventory.hpp"
#include "jobs/jobs.hpp"
#include "leaderboards/busy_pages.hpp"
#include "leaderboards/leaderboards.hpp"
#include "leaderboards/live_channel.hpp"
#include "levels/levels.hpp"
#include "levels/popular_refresher.hpp"
#include "metrics/registry.hpp"
#include "notifications/notifications_push.hpp"
#include "players/level_writer.hpp"
#include "players/players.hpp"
#include "positions/near_channel.hpp"
#include "positions/positions.hpp"
#include "realtime/realtime.hpp"
#include "redis/client.hpp"
#include "redis/subscriber.hpp"
#include "redis/threaded_client.hpp"
#include "request_limits/request_limits.hpp"
#include "sessions/sessions_feature.hpp"
#include "skirmish/cache.hpp"
#include "state/state_feature.hpp"
#include "status/service.hpp"
#include "tasks/admin/history.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace skirmish {

class app_thread;

struct listen_addresses {
  asio::ip::tcp::endpoint plain;
  std::optional<asio::ip::tcp::endpoint> tls;
};

// What all threads share: immutable, atomic or thread-safe.
struct shared_parts {
  const config& settings;
  const clock& time;
  metrics::registry& metrics;
  const redis::key_space& keys;
  const redis::connection_config& redis;
  database& db;
  sql_reachability& sql;
  const std::shared_ptr<cache_flights>& flights;
  api_key_verifier& keys_of_callers;
  sessions::password_hasher& hasher;
  const revoked_keys& revoked;
  const bans::ban_table& bans;
  const std::atomic<bool>& prepared;
  status::worker& status;
  const std::shared_ptr<http::connection_counts>& connections;
  const std::vector<std::unique_ptr<app_thread>>& threads;
  const http::tls_certificate* certificate;  // null: no TLS
};

class app_thread {
 public:
  // Listens on `at`; throws failure{unavailable} when that is not possible.
  app_thread(const shared_parts& shared, const listen_addresses& at, std::size_t number);
  ~app_thread();

  void start();
  // Stops accepting, lets requests and commits end, then the loop. Joins the thread.
  void stop();

  // Where it listens: with the port that was chosen when port 0 was asked for.
  [[nodiscard]] const listen_addresses& addresses() const { return addresses_; }
  // To Redis. May be asked on any thread.
  [[nodiscard]] bool is_connected() const noexcept {
    return redis_.connected() && commits_.connected();
  }

 private:
  void add_features(const shared_parts& shared);
  void add_operations(const shared_parts& shared);
  awaitable<result<http::principal>> authenticate(const http::request& r);
  awaitable<bool> is_still_admitted(http::principal who);
  awaitable<void> create_player(std::string player_id, std::string name);
  awaitable<void> serve_socket(http::exchange& x, http::websocket& socket);
  awaitable<void> shut_down();

  event_loop io_{1};
  redis::threaded_client commits_;
  task_group group_{io_};
  task_group control_{io_};
  redis::client redis_;
  redis::subscriber subscriber_;
  cache_store caches_;
  sql_reachability& sql_;
  api_key_verifier& verifier_;
  api_key_store key_store_;
  audit::log audit_;
  bans::store bans_;
  sessions::feature sessions_;
  players::service players_;
  levels::service levels_;
  leaderboards::service leaderboards_;
  leaderboards::busy_pages busy_leaderboards_;
  leaderboards::live_boards live_boards_;
  leaderboards::live_channel live_leaderboards_;
  inventory::service inventories_;
  state::feature state_;
  achievements::service achievements_;
  interactions::engine engine_;
  request_limits::service limits_;
  realtime::gateway gateway_;
  const redis::key_space& keys_;
  tasks::key_names task_keys_;
  std::unique_ptr<tasks::history_recorder> history_;
  chat::service chat_;
  chat::presence presence_;
  chat::hub hub_;
  notifications::service notifications_;
  notifications::pusher notifier_;
  jobs::service jobs_;
  players::level_writer level_writer_;
  levels::popular_refresher popular_refresher_;
  positions::service positions_;
  positions::near_channel near_;
  activity::window window_;
  activity::pulse pulse_;
  interactions::event_log event_log_;
  interactions::attack_records attack_records_;
  interactions::pending_acts pending_acts_;
  const std::chrono::milliseconds log_age_;
  const std::chrono::milliseconds audit_keep_;
  const bool sweeps_;  // this thread keeps the window
  const bool first_;   // of the server's threads: it does what one must do
  status::service status_;
  http::router router_;
  http::listener listener_;
  std::optional<http::listener> tls_listener_;
  listen_addresses addresses_;
  std::thread thread_;
};

}  // namespace skirmish
