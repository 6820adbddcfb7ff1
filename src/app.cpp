#include "app.hpp"

#include "app_thread.hpp"
#include "builtin_tasks/inner_worker.hpp"
#include "core/descriptors.hpp"
#include "core/event.hpp"
#include "core/log.hpp"
#include "db/migrate.hpp"
#include "db/world.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace skirmish {
namespace {

using namespace std::chrono_literals;

// A renewed certificate is in force within this time.
constexpr auto certificate_pause = 10s;
// The start does not wait longer for a database that is away.
constexpr auto world_patience = 1s;

// A directory that only this user can read: it holds the admin key and the data.
void make_data_dir(const std::string& path) {
  std::error_code ec;
  const bool existed = std::filesystem::exists(path, ec);
  std::filesystem::create_directories(path, ec);
  if (ec) throw failure(errc::unavailable, "cannot create " + path + ": " + ec.message());
  if (!existed) ::chmod(path.c_str(), 0700);
}

void write_secret(const std::filesystem::path& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && ::fchmod(fd, 0600) == 0 &&
                       ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!written) throw failure(errc::unavailable, "cannot write " + path.string());
}

bool uses_embedded_redis(const config& c) { return c.redis.url.empty(); }

redis::embedded_options embedded_options_of(const config& c) {
  redis::embedded_options o;
  o.data_dir = c.server.data_dir;
  return o;
}

std::string to_text(const asio::ip::tcp::endpoint& at) {
  const auto host = at.address().to_string();
  return fmt::format("{}:{}", at.address().is_v6() ? "[" + host + "]" : host, at.port());
}

template <class T>
T value_or_throw(result<T> r) {
  if (!r) throw failure(r.error().code, r.error().message);
  return std::move(*r);
}

}  // namespace

result<db::config> database_config_of(const config& c) {
  db::config out;
  if (!c.db.url.empty()) {
    auto parsed = db::parse_database_url(c.db.url);
    if (!parsed) return error{errc::invalid_argument, "db.url: " + parsed.error().message};
    out = std::move(*parsed);
  } else if (!c.db.host.empty()) {
    out.kind = db::sql_kind::mysql;
    out.host = c.db.host;
    out.port = static_cast<std::uint16_t>(c.db.port);
    out.user = c.db.user;
    out.password = c.db.password;
    out.name = c.db.name;
  } else {
    out.path = c.server.data_dir + "/skirmish.db";
  }
  out.sessions = static_cast<std::size_t>(c.db.sessions);
  out.statement_timeout = c.db.statement_timeout;
  return out;
}

result<redis::connection_config> redis_config_of(const config& c) {
  redis::connection_config out;
  if (!uses_embedded_redis(c)) {
    auto parsed = redis::parse_url(c.redis.url);
    if (!parsed) return error{errc::invalid_argument, "redis.url: " + parsed.error().message};
    out = std::move(*parsed);
  } else {
    out.unix_socket = c.server.data_dir + "/redis.sock";
  }
  out.command_timeout = c.redis.timeout;
  out.outstanding_limit_requests = static_cast<std::size_t>(c.redis.queue_limit);
  return out;
}

app::app(config settings, config_sources sources, cache::hooks hooks)
    : settings_(std::move(settings)),
      sources_(std::move(sources)),
      hooks_(std::move(hooks)),
      keys_(value_or_throw(redis::key_space::of_world(settings_.server.world))),
      redis_config_(value_or_throw(redis_config_of(settings_))),
      db_(value_or_throw(database_config_of(settings_))),
      hasher_(static_cast<std::size_t>(settings_.sessions.hash_threads)),
      game_server_logs_(static_cast<std::size_t>(settings_.ingest.servers_limit)),
      stop_requested_(io_) {
  metrics_.add_callback("skirmish_start_time_seconds", "When this process started (Unix time).",
                        [at = std::chrono::system_clock::now()] {
                          return std::chrono::duration<double>(at.time_since_epoch()).count();
                        });
}

app::~app() = default;

void app::run(std::function<void(const std::string&)> on_ready) {
  on_ready_ = std::move(on_ready);
  group_.spawn("main", [this]() -> awaitable<void> {
    try {
      co_await main();
    } catch (...) {
      problem_ = std::current_exception();
      io_.stop();
    }
  });
  run_loop(io_);
  io_.drop_waiting();
  if (problem_) std::rethrow_exception(problem_);
}

void app::stop() {
  asio::post(io_, [this] {
    stopping_ = true;
    stop_requested_.set();
  });
}

// Connections leave descriptors for Redis, SQL and files; an embedded Redis needs its own.
void app::fit_connection_limit() {
  constexpr std::int64_t reserved = 256;
  const auto descriptors = raise_descriptor_limit();
  const auto fitting = std::max(descriptors - reserved, descriptors / 2);
  auto& limit = settings_.http.connection_limit;
  if (limit <= fitting) return;
  log::info("connection_limit_lowered",
            {{"from", limit}, {"to", fitting}, {"descriptors", descriptors}});
  limit = fitting;
}

awaitable<void> app::main() {
  fit_connection_limit();
  asio::signal_set signals(io_, SIGINT, SIGTERM);
  signals.async_wait([this](error_code ec, int) {
    if (!ec) stop();
  });
  make_data_dir(settings_.server.data_dir);
  if (uses_embedded_redis(settings_)) {
    embedded_ = std::make_unique<redis::embedded_server>(io_, embedded_options_of(settings_));
    co_await embedded_->start();
    const auto address = embedded_->config();
    redis_config_.unix_socket = address.unix_socket;
    group_.keep_running("embedded_redis", [this] { return embedded_->run(); });
  }
  db_.start();
  co_await refuse_open_doors();
  co_await refuse_other_world();
  status_ = std::make_unique<status::worker>(settings_, redis_config_, db_, clock_, metrics_,
                                             settings_.status.refresher != 0);
  status_->start();
  revocations_ =
      std::make_unique<apikeys::revocation_watch>(io_, redis_config_, keys_, db_, revoked_);
  revocations_->start();
  ban_watch_ = std::make_unique<bans::watch>(io_, redis_config_, keys_, clock_, bans_);
  ban_watch_->start();
  start_threads();
  start_tasks();
  log::info("listening", {{"address", address_}, {"threads", threads_.size()}});
  preparing_.spawn("prepare", [this]() -> awaitable<void> {
    try {
      co_await prepare();
    } catch (...) {
      problem_ = std::current_exception();
      stop();
    }
  });

  while (!stopping_) co_await stop_requested_.wait();
  log::info("stopping");
  co_await preparing_.wait(30s);
  auto stop_tasks = [this] {
    if (tasks_) tasks_->stop();
  };
  co_await blocking(stop_tasks);
  co_await stop_threads();
  auto stop_hasher = [this] { hasher_.stop(); };
  co_await blocking(stop_hasher);
  co_await ban_watch_->stop();
  co_await revocations_->stop();
  auto stop_status = [this] { status_->stop(); };
  co_await blocking(stop_status);
  db_.stop();
  if (embedded_) co_await embedded_->stop();
  signals.cancel();
  io_.stop();
}

// Listening beyond loopback needs a key that somebody made on purpose.
awaitable<void> app::refuse_open_doors() {
  const auto at = addresses_of_settings();
  if (at.plain.address().is_loopback() && (!at.tls || at.tls->address().is_loopback())) co_return;
  bool has_key = false;
  std::string why = "no API key exists yet";
  try {
    apikeys::store keys(db_, clock_);
    has_key = co_await keys.has_admin();
  } catch (const failure&) {
    // Either the database is down or the tables are not there yet; without proof of a key the door
    // stays shut.
    why = "the API keys could not be read";
  }
  if (!has_key)
    throw failure(errc::forbidden,
                  fmt::format("refusing to listen on {}: {}. Run `skirmish migrate`, then "
                              "`skirmish apikey create --role admin`, or listen on 127.0.0.1",
                              at.plain.address().is_loopback() ? settings_.http.tls_listen
                                                               : settings_.http.listen,
                              why));
}

// Before anything of this world is read or written. Where the database does not answer soon, or has
// no table for it yet, claim_database() finds out.
awaitable<void> app::refuse_other_world() {
  result<void> claimed;
  const auto ask = [this] { return db::claim_world(db_, settings_.server.world); };
  try {
    claimed = co_await asio::co_spawn(io_, ask, asio::cancel_after(world_patience, use_awaitable));
  } catch (const failure&) {
  } catch (const boost::system::system_error&) {  // in time
  }
  if (!claimed) throw failure(claimed.error().code, claimed.error().message);
}

awaitable<void> app::claim_database() {
  while (!stopping_) {
    result<void> claimed;
    std::string problem;
    try {
      claimed = co_await db::claim_world(db_, settings_.server.world);
    } catch (const failure& e) {
      problem = e.what();
    }
    if (!claimed) throw failure(claimed.error().code, claimed.error().message);
    if (problem.empty()) co_return;
    log::warn("waiting_for_database", {{"error", problem}});
    asio::steady_timer pause(io_, 1s);
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

listen_addresses app::addresses_of_settings() const {
  const auto& s = settings_.http;
  listen_addresses out{value_or_throw(http::parse_endpoint(s.listen)), std::nullopt};
  if (s.tls_listen.empty()) return out;
  out.tls = value_or_throw(http::parse_endpoint(s.tls_listen));
  if (s.tls_certificate.empty() || s.tls_key.empty())
    throw failure(errc::invalid_argument,
                  "http.tls_listen needs http.tls_certificate_file and http.tls_key_file");
  return out;
}

// Reads a renewed certificate: on SIGHUP, and when its files have changed.
awaitable<void> app::watch_certificate() {
  asio::signal_set hangup(io_, SIGHUP);
  while (true) {
    error_code ec;
    co_await hangup.async_wait(
        asio::cancel_after(certificate_pause, asio::redirect_error(use_awaitable, ec)));
    if (ec)
      certificate_->reload_if_changed();
    else
      certificate_->reload();
  }
}

void app::start_threads() {
  auto at = addresses_of_settings();
  if (at.tls) {
    certificate_ = std::make_unique<http::tls_certificate>(settings_.http.tls_certificate,
                                                           settings_.http.tls_key);
    group_.keep_running("certificate", [this] { return watch_certificate(); });
  }
  const auto wanted = static_cast<std::size_t>(settings_.server.threads);
  const auto count = wanted != 0 ? wanted : std::max(1U, std::thread::hardware_concurrency());
  const shared_parts shared{settings_,
                            clock_,
                            metrics_,
                            keys_,
                            redis_config_,
                            db_,
                            sql_,
                            flights_,
                            verifier_,
                            hasher_,
                            revoked_,
                            bans_,
                            prepared_,
                            *status_,
                            connections_,
                            threads_,
                            certificate_.get(),
                            task_overview_,
                            recent_samples_,
                            game_server_logs_,
                            sources_,
                            hooks_};
  for (std::size_t i = 0; i < count; ++i) {
    threads_.push_back(std::make_unique<app_thread>(shared, at, i));
    at = threads_.front()->addresses();  // port 0: the first one's choice is everyone's
  }
  address_ = to_text(at.plain);
  if (at.tls) log::info("listening_tls", {{"address", to_text(*at.tls)}});
  for (auto& t : threads_) t->start();
}

void app::start_tasks() {
  if (settings_.tasks.concurrency == 0) return;
  const auto& n = settings_.notifications;
  const builtin_tasks::surroundings of{
      redis_config_,
      keys_,
      clock_,
      db_,
      {n.limit, n.text_limit_chars},
      static_cast<std::size_t>(settings_.tasks.concurrency),
      {settings_.status.webhook_url, settings_.status.webhook_secret}};
  tasks_ = std::make_unique<builtin_tasks::inner_worker>(settings_, of, metrics_);
  tasks_->start();
}

awaitable<void> app::stop_threads() {
  // All at once: each waits for its own connections.
  auto stop_all = [this] {
    std::vector<std::jthread> joiners;
    for (auto& t : threads_) joiners.emplace_back([&t] { t->stop(); });
  };
  co_await blocking(stop_all);
}

// What serving needs, retried until the backends are there. /readyz is false meanwhile.
awaitable<void> app::prepare() {
  co_await migrate_when_reachable();
  co_await claim_database();
  co_await make_first_key();
  prepared_ = true;
  redis::client probe(io_, redis_config_, "skirmish-start");
  task_group probing(io_);
  probing.spawn("redis_probe", [&probe] { return probe.run(); });
  while (!stopping_ && !probe.connected()) {
    try {
      co_await probe.wait_connected(1s);
    } catch (const failure& e) {
      log::warn("waiting_for_redis", {{"error", e.what()}});
    }
  }
  probe.stop();
  co_await probing.wait(5s);
  // The first request may come to any thread.
  const auto is_connected = [](const auto& t) { return t->is_connected(); };
  asio::steady_timer pause(io_);
  while (!stopping_ && !std::ranges::all_of(threads_, is_connected)) {
    pause.expires_after(10ms);
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  if (!stopping_ && on_ready_) on_ready_(address_);
}

awaitable<void> app::migrate_when_reachable() {
  const auto& config = db_.config();
  bool was_away = false;
  while (!stopping_) {
    std::string problem;
    errc code{};
    auto work = [&] {
      try {
        if (!settings_.db.migrate) {
          const auto pending = db::pending_migrations(config);
          if (!pending.empty())
            throw failure(
                errc::conflict,
                fmt::format("{} migrations are pending: run `skirmish migrate`", pending.size()));
          return;
        }
        db::migrate(config);
      } catch (const failure& e) {
        problem = e.what();
        code = e.code();
      }
    };
    co_await blocking(work);
    // A status that was read before the tables were there says nothing. While the database is
    // away, readers get what was known last.
    status_->database_prepared();
    if (problem.empty()) {
      if (was_away) status_->refresh_soon();
      co_return;
    }
    was_away = true;
    if (code == errc::conflict) throw failure(code, problem);
    log::warn("waiting_for_database", {{"error", problem}});
    asio::steady_timer pause(io_, 1s);
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

// The first start makes an admin key and says where it is.
awaitable<void> app::make_first_key() {
  const auto path = std::filesystem::path(settings_.server.data_dir) / "admin.key";
  apikeys::store keys(db_, clock_);
  while (!stopping_) {
    try {
      if (co_await keys.has_admin()) co_return;
      apikeys::key_wish wish{.role = "admin", .label = "first start"};
      auto made = co_await keys.create(std::move(wish));
      write_secret(path, made.key + "\n");
      log::info("admin_key_written", {{"path", path.string()}});
      co_return;
    } catch (const failure& e) {
      log::warn("waiting_for_database", {{"error", e.what()}});
    }
    asio::steady_timer pause(io_, 1s);
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

awaitable<void> app::blocking(std::function<void()> work) {
  event done(io_);
  bool finished = false;
  std::exception_ptr problem;
  const std::jthread worker([&] {
    try {
      work();
    } catch (...) {
      problem = std::current_exception();
    }
    asio::post(io_, [&] {
      finished = true;
      done.set();
    });
  });
  while (!finished) co_await done.wait();
  if (problem) std::rethrow_exception(problem);
}

}  // namespace skirmish
