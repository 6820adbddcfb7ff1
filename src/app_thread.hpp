// One server thread: its event loop, its connections and its services, in the order they are built.
#pragma once

#include "apikeys/apikeys.hpp"
#include "bans/ban_table.hpp"
#include "config.hpp"
#include "config_sources.hpp"
#include "console/console_feature.hpp"
#include "core/clock.hpp"
#include "core/run_loop.hpp"
#include "core/task_group.hpp"
#include "db/database.hpp"
#include "db/reachability.hpp"
#include "feature_list.hpp"
#include "game_servers/log_states.hpp"
#include "http/listener.hpp"
#include "http/router.hpp"
#include "live_metrics/series.hpp"
#include "metrics/registry.hpp"
#include "realtime/realtime.hpp"
#include "redis/client.hpp"
#include "redis/subscriber.hpp"
#include "redis/threaded_client.hpp"
#include "sessions/sessions_feature.hpp"
#include "skirmish/cache.hpp"
#include "status/worker.hpp"
#include "tasks/admin/overview.hpp"

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
  db::database& db;
  db::reachability& sql;
  const std::shared_ptr<cache::flights>& flights;
  apikeys::verifier& keys_of_callers;
  sessions::password_hasher& hasher;
  const apikeys::revoked_keys& revoked;
  const bans::ban_table& bans;
  const std::atomic<bool>& prepared;
  status::worker& status;
  const std::shared_ptr<http::connection_counts>& connections;
  const std::vector<std::unique_ptr<app_thread>>& threads;
  const http::tls_certificate* certificate;  // null: no TLS
  tasks::overview_board& task_overview;
  live_metrics::recent_samples& recent_samples;
  game_servers::log_states& game_server_logs;
  const config_sources& sources;
  const cache::hooks& hooks;
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
  awaitable<result<http::principal>> authenticate(const http::request& r);
  awaitable<bool> is_still_admitted(http::principal who);
  awaitable<void> shut_down();

  event_loop io_{1};
  redis::threaded_client commits_;
  std::optional<redis::threaded_client> flushes_;  // on the first of the server's threads
  task_group group_{io_};
  task_group connections_{io_};  // to Redis: they end after the others, which say goodbye
  task_group control_{io_};
  redis::client redis_;
  redis::subscriber subscriber_;
  cache::store caches_;
  db::reachability& sql_;
  apikeys::verifier& verifier_;
  realtime::gateway gateway_;
  http::router router_;
  feature_list features_;
  sessions::feature* sessions_ = nullptr;  // one of features_
  console::feature* console_ = nullptr;    // likewise
  const bool is_first_;  // of the server's threads: it does what one must do for all
  http::listener listener_;
  std::optional<http::listener> tls_listener_;
  listen_addresses addresses_;
  std::thread thread_;
};

}  // namespace skirmish
