// The cache of include/skirmish/cache.hpp in a program of its own: a slow source, asked once.
//
//   REDIS_URL=redis://127.0.0.1 cached_profiles
//
// prints who answered and how long that took: the source, Redis, memory; then, after a change, the
// source again.
#include "core/error.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "skirmish/cache.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>

using namespace skirmish;
using namespace std::chrono_literals;

namespace {

// What a database would be.
struct slow_source {
  std::string name = "Ada";
  int asked = 0;

  awaitable<std::optional<cache::content>> load() {
    ++asked;
    asio::steady_timer pause(co_await asio::this_coro::executor, 200ms);
    co_await pause.async_wait(use_awaitable);
    co_return cache::fields{{"name", name}, {"level", "3"}};
  }
};

awaitable<void> ask(cache::named_cache& profiles, slow_source& source, int callers) {
  const auto load = [&source] { return source.load(); };
  for (int i = 0; i < callers; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto found = co_await profiles.get_or_load("user:42", load);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::cout << *found.field("name") << "  " << to_string(found.from) << "  " << took.count()
              << " ms\n";
  }
}

awaitable<void> show(redis::client& redis, cache::store& store) {
  co_await redis.wait_connected(5s);
  skirmish::cache::named_cache profiles(store, "profiles",
                                        {.ttl = 60min, .as = skirmish::cache::stored_as::hash});
  slow_source source;
  co_await profiles.invalidate_cache("user:42");
  co_await ask(profiles, source, 3);
  source.name = "Grace";  // the source is written first, then the cache is told
  co_await profiles.invalidate_cache("user:42");
  co_await ask(profiles, source, 1);
  std::cout << "the source was asked " << source.asked << " times\n";
}

}  // namespace

int main() {
  const char* url = std::getenv("REDIS_URL");
  const auto where = redis::parse_url(url ? url : "redis://127.0.0.1");
  if (!where) {
    std::cerr << where.error().message << '\n';
    return 2;
  }
  asio::io_context io{1};
  task_group tasks(io);
  redis::client redis(io, *where, "cached_profiles");
  cache::store store(io, redis, tasks);
  int code = 0;
  tasks.spawn("redis", [&] { return redis.run(); });
  tasks.spawn("show", [&]() -> awaitable<void> {
    try {
      co_await show(redis, store);
    } catch (const failure& e) {
      std::cerr << e.what() << '\n';
      code = 1;
    }
    redis.stop();
    io.stop();
  });
  io.run();
  return code;
}
