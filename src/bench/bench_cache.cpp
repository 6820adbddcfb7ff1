// `skirmish bench cache`: reads of cached profiles from memory, and the same reads from Redis.
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "cli/cli.hpp"
#include "core/json_text.hpp"
#include "skirmish/cache.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <chrono>
#include <random>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

struct cache_options {
  std::string redis_url;
  std::int64_t profiles = 10'000;
  std::int64_t readers = 100;
  std::int64_t seconds = 5;
  bool as_json = false;
};

std::string name_of(std::int64_t number) { return fmt::format("user:player{:05}", number); }

awaitable<std::optional<cache::content>> load_profile(std::string name) {
  co_return cache::fields{{"name", name},
                          {"email", name + "@example.org"},
                          {"level", "7"},
                          {"created_at", "2026-11-21T04:06:11.028Z"}};
}

// Many readers at once, each waiting for its answer before it asks again; reads a second.
awaitable<double> reads_per_s(asio::io_context& io, task_group& tasks, cache::named_cache& profiles,
                              const cache_options& chosen) {
  std::int64_t reads = 0;
  std::int64_t running = chosen.readers;
  const auto begin = steady::now();
  const auto end = begin + std::chrono::seconds(chosen.seconds);
  for (std::int64_t r = 0; r < chosen.readers; ++r) {
    tasks.spawn("reader", [&, r]() -> awaitable<void> {
      std::minstd_rand dice(static_cast<unsigned>(r + 1));
      while (steady::now() < end) {
        for (int i = 0; i < 100; ++i) {
          auto name = name_of(static_cast<std::int64_t>(dice()) % chosen.profiles);
          auto load = [name] { return load_profile(name); };
          const auto found = co_await profiles.get_or_load(std::move(name), std::move(load));
          if (found.value) ++reads;
        }
        co_await asio::post(io, use_awaitable);
      }
      --running;
    });
  }
  asio::steady_timer timer(io);
  while (running > 0) {
    timer.expires_after(10ms);
    co_await timer.async_wait(use_awaitable);
  }
  const std::chrono::duration<double> took = steady::now() - begin;
  co_return static_cast<double>(reads) / took.count();
}

awaitable<bool> run_cache_bench(asio::io_context& io, const cache_options& chosen) {
  bench_redis server(io);
  co_await server.start(chosen.redis_url);
  redis::client connection(io, server.config(), "skirmish-bench-cache");
  cache::store store(io, connection, server.tasks());
  server.run(connection);
  co_await connection.wait_connected(10s);
  cache::policy policy;
  policy.as = cache::stored_as::hash;
  policy.near_ttl = 1h;
  cache::named_cache profiles(store, "profiles", policy);
  for (std::int64_t i = 0; i < chosen.profiles; ++i) {
    const auto name = name_of(i);
    auto load = [name] { return load_profile(name); };
    // The first fills Redis, the second brings the copy into memory.
    co_await profiles.get_or_load(name, load);
    co_await profiles.get_or_load(name, load);
  }
  redis::client plain(io, server.config(), "skirmish-bench-redis");
  cache::store without_memory(io, plain, server.tasks());
  server.run(plain);
  co_await plain.wait_connected(10s);
  policy.near_ttl = 0ms;
  cache::named_cache only_redis(without_memory, "profiles_redis", policy);
  const auto redis_rate = co_await reads_per_s(io, server.tasks(), only_redis, chosen);
  const auto memory_rate = co_await reads_per_s(io, server.tasks(), profiles, chosen);
  const auto ratio = memory_rate / redis_rate;
  if (chosen.as_json) {
    const boost::json::object out{
        {"memory_reads_per_s", memory_rate}, {"redis_reads_per_s", redis_rate}, {"ratio", ratio}};
    fmt::print("{}\n", json_text_of(out));
  } else {
    fmt::print(
        "{} profiles, {} readers, one thread\nfrom Redis   {:>12.0f} reads/s\n"
        "from memory  {:>12.0f} reads/s\nratio        {:>12.1f}\n",
        chosen.profiles, chosen.readers, redis_rate, memory_rate, ratio);
  }
  co_await server.stop();
  co_return memory_rate >= 50'000 && ratio >= 5;
}

}  // namespace

void add_bench_cache(CLI::App& bench, int& code) {
  auto* command = bench.add_subcommand("cache", "Cached profiles from memory and from Redis");
  auto chosen = std::make_shared<cache_options>();
  command->add_option("--redis", chosen->redis_url, "an empty Redis; none: one of its own");
  command->add_option("--profiles", chosen->profiles, "different profiles")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  command->add_option("--readers", chosen->readers, "who read at the same time")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  command->add_option("--seconds", chosen->seconds, "of each kind")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600));
  command->add_flag("--json", chosen->as_json, "one JSON object");
  command->callback([chosen, &code] {
    const bool reached = skirmish::run([chosen](asio::io_context& io) -> awaitable<bool> {
      const bool ok = co_await run_cache_bench(io, *chosen);
      co_return ok;
    });
    if (!reached) fmt::print(stderr, "the targets (50,000 reads/s, ratio 5) were missed\n");
    code = done;
  });
}

}  // namespace skirmish::cli
