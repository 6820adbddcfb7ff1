// `skirmish bench sessions`: logins, which cost a password hash, and checks of tokens, from memory
// and from Redis.
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "cli/cli.hpp"
#include "core/json_text.hpp"
#include "db/database.hpp"
#include "db/migrate.hpp"
#include "db/soci.hpp"
#include "sessions/password_hasher.hpp"
#include "sessions/sessions.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <chrono>
#include <random>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

struct sessions_options {
  std::string redis_url;
  std::int64_t players = 500;
  std::int64_t seconds = 5;
  bool as_json = false;
};

struct session_figures {
  double logins_per_s = 0;
  double memory_checks_per_s = 0;
  double redis_checks_per_s = 0;
  [[nodiscard]] double ratio() const { return memory_checks_per_s / redis_checks_per_s; }
};

constexpr double memory_checks_asked = 300'000;
constexpr double ratio_asked = 20;
constexpr int sessions_per_player = 16;

double per_second(std::int64_t count, steady::time_point since) {
  return static_cast<double>(count) / std::chrono::duration<double>(steady::now() - since).count();
}

// Passwords checked by one thread.
awaitable<double> measure_logins(std::int64_t seconds) {
  sessions::password_hasher hasher(1);
  const auto stored = co_await hasher.hash("correct horse battery");
  const auto begin = steady::now();
  std::int64_t count = 0;
  for (; steady::now() < begin + std::chrono::seconds(seconds); ++count) {
    const auto verdict = co_await hasher.check(stored, "correct horse battery");
    if (!verdict.matches) throw failure(errc::internal, "a password did not match its hash");
  }
  const auto rate = per_second(count, begin);
  hasher.stop();
  co_return rate;
}

awaitable<void> check_one(sessions::service& by, const std::string& token) {
  const auto found = co_await by.check(token);
  if (!found) throw failure(errc::internal, "a session was not found");
}

// Each token's first check by this thread reads Redis. SQL, which is asked once per player, is
// asked before the clock starts.
awaitable<double> measure_redis(sessions::service& fresh, const std::vector<std::string>& tokens) {
  for (std::size_t i = 0; i < tokens.size(); i += sessions_per_player)
    co_await check_one(fresh, tokens[i]);
  const auto begin = steady::now();
  std::int64_t count = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i % sessions_per_player == 0) continue;
    co_await check_one(fresh, tokens[i]);
    ++count;
  }
  co_return per_second(count, begin);
}

awaitable<double> measure_memory(sessions::service& warm, const std::vector<std::string>& tokens,
                                 std::int64_t seconds) {
  std::minstd_rand dice(1);
  const auto begin = steady::now();
  std::int64_t count = 0;
  while (steady::now() < begin + std::chrono::seconds(seconds)) {
    for (int i = 0; i < 1'000; ++i, ++count)
      co_await check_one(warm, tokens[dice() % tokens.size()]);
  }
  co_return per_second(count, begin);
}

// Players with all the sessions that one may have; the tokens of one stand together.
awaitable<std::vector<std::string>> open_sessions(db::database& db, sessions::service& by,
                                                  std::int64_t players) {
  std::vector<std::string> tokens;
  for (std::int64_t n = 0; n < players; ++n) {
    const auto player = fmt::format("player{}", n);
    auto insert = [player](soci::session& sql) {
      sql << "INSERT INTO players (player_id, name, created_at, updated_at) "
             "VALUES (:id, 'Player', 0, 0)",
          soci::use(player);
    };
    co_await db.run(std::move(insert));
    for (int i = 0; i < sessions_per_player; ++i) {
      auto opened = co_await by.open(player, 0, "", "password");
      tokens.push_back(std::move(opened.token));
    }
  }
  co_return tokens;
}

void print(const session_figures& f, bool as_json) {
  if (as_json) {
    const boost::json::object out{{"logins_per_s", f.logins_per_s},
                                  {"memory_checks_per_s", f.memory_checks_per_s},
                                  {"redis_checks_per_s", f.redis_checks_per_s},
                                  {"ratio", f.ratio()}};
    fmt::print("{}\n", json_text_of(out));
    return;
  }
  fmt::print(
      "logins, one hashing thread        {:>12.1f} per s\n"
      "checks of tokens from memory      {:>12.0f} per s     asked {:.0f}\n"
      "checks of tokens from Redis       {:>12.0f} per s\n"
      "ratio                             {:>12.1f}           asked {:.0f}\n",
      f.logins_per_s, f.memory_checks_per_s, memory_checks_asked, f.redis_checks_per_s, f.ratio(),
      ratio_asked);
}

awaitable<bool> run_sessions_bench(asio::io_context& io, const sessions_options& chosen) {
  const scratch_directory directory;
  db::config sqlite;
  sqlite.path = (directory.path() / "bench.sqlite").string();
  migrate(sqlite);
  db::database db(sqlite);
  db.start();
  bench_redis server(io);
  co_await server.start(chosen.redis_url);
  const redis::key_space keys;
  const system_clock time;
  sessions::settings limits;
  limits.per_player = sessions_per_player;
  sessions::service warm(server.client(), db, keys, time, limits);
  sessions::service fresh(server.client(), db, keys, time, limits);
  server.tasks().spawn("sessions", [&warm] { return warm.run(); });
  server.tasks().spawn("fresh_sessions", [&fresh] { return fresh.run(); });

  session_figures f;
  f.logins_per_s = co_await measure_logins(chosen.seconds);
  const auto tokens = co_await open_sessions(db, warm, chosen.players);
  f.redis_checks_per_s = co_await measure_redis(fresh, tokens);
  for (const auto& token : tokens) co_await check_one(warm, token);
  f.memory_checks_per_s = co_await measure_memory(warm, tokens, chosen.seconds);
  print(f, chosen.as_json);
  co_await server.stop();
  db.stop();
  co_return f.memory_checks_per_s >= memory_checks_asked&& f.ratio() >= ratio_asked;
}

}  // namespace

void add_bench_sessions(CLI::App& bench, int& code) {
  auto* command = bench.add_subcommand("sessions", "Logins, and checks of players' tokens");
  auto chosen = std::make_shared<sessions_options>();
  command->add_option("--redis", chosen->redis_url, "an empty Redis; none: one of its own");
  command->add_option("--players", chosen->players, "with 16 sessions each")
      ->capture_default_str()
      ->check(CLI::Range(10, 6'000));
  command->add_option("--seconds", chosen->seconds, "of logins, and of checks from memory")
      ->capture_default_str()
      ->check(CLI::Range(1, 600));
  command->add_flag("--json", chosen->as_json, "one JSON object");
  command->callback([chosen, &code] {
    const bool reached = skirmish::run([chosen](asio::io_context& io) -> awaitable<bool> {
      const bool ok = co_await run_sessions_bench(io, *chosen);
      co_return ok;
    });
    if (!reached) fmt::print(stderr, "the targets (300,000 checks/s, ratio 20) were missed\n");
    code = done;
  });
}

}  // namespace skirmish::cli
