#include "bench/bench_world.hpp"

#include "bench/redis_probes.hpp"
#include "cli/own_server.hpp"
#include "core/ids.hpp"
#include "interactions/interactions_keys.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

constexpr std::int64_t start_hp = 1'000'000'000'000;
constexpr std::int64_t start_coins = 1'000'000;
constexpr std::size_t pipeline_size = 1'000;
constexpr auto frozen = 5s;
constexpr std::int64_t longest_bench_ms = 2 * 3'600'000;

constexpr std::array<std::pair<fault, const char*>, 4> names{{{fault::kill_redis, "kill-redis"},
                                                              {fault::kill_server, "kill-server"},
                                                              {fault::freeze_redis, "freeze-redis"},
                                                              {fault::cut_reply, "cut-reply"}}};

std::string free_port(asio::io_context& io) {
  const tcp::acceptor probe(io, {asio::ip::address_v4::loopback(), 0});
  return std::to_string(probe.local_endpoint().port());
}

}  // namespace

const char* name_of(fault f) {
  return std::find_if(names.begin(), names.end(), [f](auto& n) { return n.first == f; })->second;
}

std::vector<fault> all_faults() {
  std::vector<fault> out;
  for (const auto& [kind, name] : names) out.push_back(kind);
  return out;
}

std::string fault_names() {
  std::vector<const char*> all;
  for (const auto& [kind, name] : names) all.push_back(name);
  return fmt::format("{}", fmt::join(all, ", "));
}

std::optional<fault> parse_fault(const std::string& name) {
  for (const auto& [kind, its_name] : names)
    if (name == its_name) return kind;
  return std::nullopt;
}

bench_world::bench_world(asio::io_context& io, world_options options)
    : io_(io), options_(options), redis_(io) {}

bench_world::~bench_world() { server_ = {}; }

awaitable<void> bench_world::start_redis() { co_await redis_.start(""); }

awaitable<void> bench_world::empty_redis() {
  redis::checked(co_await redis_.client().command("FLUSHALL"));
}

awaitable<void> bench_world::make_players(std::int64_t count) {
  for (std::int64_t i = 0; i < count;) {
    redis::request commands;
    for (std::size_t k = 0; k < pipeline_size && i < count; ++k, ++i) {
      const auto name = bench_player(static_cast<std::size_t>(i));
      commands.push("HSET", "player:" + name, "hp", start_hp, "mp", 100, "stamina", 100);
      commands.push("HSET", "inventory:" + name, "coin", start_coins);
    }
    redis::checked(co_await redis_.client().exec(std::move(commands)));
  }
}

awaitable<void> bench_world::start_server() {
  if (options_.through_relay) relay_ = std::make_unique<relay>(redis_config().unix_socket);
  address_ = {"127.0.0.1", free_port(io_)};
  launch_server();
  co_await wait_for_server();
  key_ = read_admin_key(directory_.path());
}

void bench_world::launch_server() {
  const auto redis_url = relay_ ? fmt::format("redis://127.0.0.1:{}", relay_->port())
                                : "unix://" + redis_config().unix_socket;
  redis::child_process::launch what;
  what.program = std::filesystem::read_symlink("/proc/self/exe").string();
  what.arguments = {"serve",
                    "--data-dir",
                    directory_.path(),
                    "--listen",
                    address_.host + ":" + address_.port,
                    "--log-level",
                    "error",
                    "--set",
                    "redis.url=" + redis_url,
                    "--set",
                    fmt::format("server.threads={}", options_.server_threads)};
  server_ = redis::child_process(what);
}

awaitable<void> bench_world::wait_for_server() {
  const auto limit = std::chrono::steady_clock::now() + 60s;
  while (true) {
    bool ready = false;
    try {
      http_client client(io_, address_, "");
      const auto answer = co_await client.get("/readyz");
      ready = answer.status == 200;
    } catch (const failure&) {
    }
    if (ready) co_return;
    if (!server_.running())
      throw failure(errc::unavailable, "the server ended at its start: " + server_.ending());
    if (std::chrono::steady_clock::now() > limit)
      throw failure(errc::unavailable, "the server does not answer");
    co_await pause(20ms);
  }
}

awaitable<void> bench_world::stop() {
  server_.signal(SIGTERM);
  server_.wait(10s);
  co_await redis_.stop();
}

awaitable<void> bench_world::cause(fault f) {
  switch (f) {
    case fault::kill_redis: ::kill(redis_.pid(), SIGKILL); break;
    case fault::kill_server:
      server_.signal(SIGKILL);
      server_.wait(10s);
      launch_server();
      co_await wait_for_server();
      break;
    case fault::freeze_redis:
      ::kill(redis_.pid(), SIGSTOP);
      co_await pause(frozen);
      ::kill(redis_.pid(), SIGCONT);
      break;
    case fault::cut_reply: relay_->cut_replies_after(7); break;
  }
}

// Each pair's record under its own key.
awaitable<std::uint64_t> bench_world::wrong_records(const attack_expectations& records) {
  const redis::key_space keys;
  const auto pairs = records.pairs();
  const auto ttl_ms = std::chrono::milliseconds(interactions::attack_ttl).count();
  std::uint64_t wrong = 0;
  for (std::size_t first = 0; first < pairs.size(); first += pipeline_size) {
    const auto last = std::min(first + pipeline_size, pairs.size());
    redis::request commands;
    for (auto i = first; i < last; ++i) {
      const auto key = interactions::attack_key(keys, bench_player(pairs[i].attacker),
                                                bench_player(pairs[i].target));
      commands.push("HMGET", key, "damage", "ts", "id");
      commands.push("PTTL", key);
    }
    const auto replies = redis::checked(co_await redis_.client().exec(std::move(commands)));
    for (auto i = first; i < last; ++i) {
      const auto& fields = replies[2 * (i - first)];
      const auto left_ms = replies[2 * (i - first) + 1].as_integer().value_or(-1);
      const bool has_ttl = left_ms <= ttl_ms && left_ms > ttl_ms - longest_bench_ms;
      const bool is_whole = fields[1].as_string().size() > 10 && !fields[2].is_nil();
      const auto damage = fields[0].as_integer().value_or(0);
      if (!has_ttl || !is_whole || !records.may_hold(pairs[i], damage)) ++wrong;
    }
  }
  co_return wrong;
}

awaitable<audit_result> bench_world::audit(const load_result& load, bool with_trades) {
  audit_result out;
  const auto& expected = load.expected;
  co_await redis_.client().wait_connected(60s);
  std::int64_t coins = 0;
  for (std::size_t first = 0; first < expected.size(); first += pipeline_size) {
    const auto last = std::min(first + pipeline_size, expected.size());
    redis::request commands;
    for (auto i = first; i < last; ++i) {
      const auto name = bench_player(i);
      commands.push("ZSCORE", "leaderboard:active", name);
      commands.push("HMGET", "player:" + name, "hp", "damage_dealt");
      commands.push("HGET", "inventory:" + name, "coin");
    }
    const auto replies = redis::checked(co_await redis_.client().exec(std::move(commands)));
    for (auto i = first; i < last; ++i) {
      const auto* r = &replies[3 * (i - first)];
      const auto counted = static_cast<std::uint64_t>(r[0].as_double().value_or(0));
      const auto hp = r[1][0].as_integer().value_or(0);
      const auto dealt = r[1][1].as_integer().value_or(0);
      const auto& e = expected[i];
      if (counted < e.interactions) out.lost += e.interactions - counted;
      if (counted > e.interactions) out.duplicated += counted - e.interactions;
      if (counted != e.interactions || hp != start_hp - e.taken || dealt != e.dealt)
        ++out.wrong_players;
      coins += r[2].as_integer().value_or(0);
    }
  }
  if (with_trades && coins != start_coins * static_cast<std::int64_t>(expected.size()))
    ++out.wrong_players;
  out.wrong_records = co_await wrong_records(load.records);
  co_return out;
}

double bench_world::server_memory_mb(const std::string& line) const {
  std::ifstream status(fmt::format("/proc/{}/status", server_.pid()));
  std::string word;
  while (status >> word) {
    if (word != line + ":") continue;
    double kb = 0;
    status >> kb;
    return kb / 1024;
  }
  return 0;
}

awaitable<double> bench_world::redis_used_mb() {
  co_await redis_.client().wait_connected(60s);
  co_return static_cast<double>(co_await used_memory(redis_.client())) / 1024 / 1024;
}

awaitable<void> bench_world::pause(std::chrono::milliseconds duration) {
  asio::steady_timer timer(io_, duration);
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(use_awaitable, ignored));
}

}  // namespace skirmish::cli
