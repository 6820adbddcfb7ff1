// The composition root: builds everything in order, runs it, and stops it in reverse.
//
// One `app` is one server process. The main thread owns the embedded Redis and the signals; each
// server thread has an io_context, Redis connections and services of its own (app_thread), and
// shares nothing but the configuration, the metrics and the SQL sessions.
#pragma once

#include "apikeys/apikeys.hpp"
#include "bans/ban_store.hpp"
#include "config.hpp"
#include "config_sources.hpp"
#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/event.hpp"
#include "core/run_loop.hpp"
#include "core/task_group.hpp"
#include "db/database.hpp"
#include "db/reachability.hpp"
#include "game_servers/log_states.hpp"
#include "http/connection_counts.hpp"
#include "http/tls.hpp"
#include "live_metrics/series.hpp"
#include "metrics/registry.hpp"
#include "redis/embedded_server.hpp"
#include "redis/key_space.hpp"
#include "sessions/password_hasher.hpp"
#include "skirmish/cache.hpp"
#include "status/worker.hpp"
#include "tasks/admin/overview.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skirmish {

class app_thread;
struct listen_addresses;
namespace builtin_tasks {
class inner_worker;
}

// What the settings say about the backends; invalid_argument names the setting that is wrong.
result<db::config> database_config_of(const config& c);
// The server of redis.url, or the embedded one of the data directory.
result<redis::connection_config> redis_config_of(const config& c);

class app {
 public:
  // Throws failure when the settings cannot work together.
  // `sources`: where they come from, for operators who ask.
  // `hooks`: for demonstrations.
  explicit app(config settings, config_sources sources = {}, cache::hooks hooks = {});
  ~app();

  // Brings everything up and serves until stop(). `on_ready` is called once, with the address, when
  // all backends have answered. Run it on the main thread. Throws failure when the server cannot
  // start.
  void run(std::function<void(const std::string& address)> on_ready);

  // Asks run() to end. Thread-safe.
  void stop();

 private:
  awaitable<void> main();
  awaitable<void> prepare();
  awaitable<void> migrate_when_reachable();
  awaitable<void> refuse_other_world();
  awaitable<void> claim_database();
  awaitable<void> make_first_key();
  awaitable<void> refuse_open_doors();
  void fit_connection_limit();
  [[nodiscard]] listen_addresses addresses_of_settings() const;
  awaitable<void> watch_certificate();
  void start_threads();
  void start_tasks();
  awaitable<void> stop_threads();
  // Runs something that blocks on a thread of its own.
  awaitable<void> blocking(std::function<void()> work);

  config settings_;
  const config_sources sources_;
  const cache::hooks hooks_;
  system_clock clock_;
  metrics::registry metrics_;
  redis::key_space keys_;
  event_loop io_{1};
  task_group group_{io_};
  task_group preparing_{io_};
  std::unique_ptr<redis::embedded_server> embedded_;
  redis::connection_config redis_config_;
  db::database db_;
  db::reachability sql_{db_};
  const std::shared_ptr<cache::flights> flights_ = cache::make_flights();
  apikeys::revoked_keys revoked_;
  apikeys::verifier verifier_{db_, clock_, revoked_};
  std::unique_ptr<apikeys::revocation_watch> revocations_;
  bans::ban_table bans_{clock_};
  std::unique_ptr<bans::watch> ban_watch_;
  sessions::password_hasher hasher_;
  std::unique_ptr<status::worker> status_;
  tasks::overview_board task_overview_;
  live_metrics::recent_samples recent_samples_;
  game_servers::log_states game_server_logs_;
  std::unique_ptr<http::tls_certificate> certificate_;
  const std::shared_ptr<http::connection_counts> connections_ =
      std::make_shared<http::connection_counts>();
  std::vector<std::unique_ptr<app_thread>> threads_;
  std::unique_ptr<builtin_tasks::inner_worker> tasks_;
  std::string address_;
  std::atomic<bool> prepared_{false};  // migrations applied, first key made
  std::function<void(const std::string&)> on_ready_;
  event stop_requested_;
  bool stopping_ = false;
  std::exception_ptr problem_;
};

}  // namespace skirmish
