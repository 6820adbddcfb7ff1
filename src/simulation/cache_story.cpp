#include "simulation/simulation.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace skirmish::cli {
namespace {

awaitable<std::optional<cache::content>> load_later(std::chrono::milliseconds delay,
                                                    cache::loader load) {
  asio::steady_timer pause(co_await asio::this_coro::executor, delay);
  co_await pause.async_wait(use_awaitable);
  co_return co_await load();
}

std::string_view words_for(cache::step::kind what) {
  using enum cache::step::kind;
  switch (what) {
    case found_in_memory: return "found in memory";
    case found_in_redis: return "found in Redis";
    case found_stale: return "found in Redis, stale";
    case loading: return "not cached: loading from the database";
    case loaded: return "loaded from the database";
    case stored: return "stored";
    case absence_stored: return "remembered as absent";
  }
  return "";
}

}  // namespace

std::string to_line(const cache::step& step) {
  auto out = fmt::format("{} {}", step.key, words_for(step.what));
  if (step.ttl.count() > 0)
    out += fmt::format(" for {} s",
                       std::chrono::duration_cast<std::chrono::seconds>(step.ttl).count());
  if (step.what != cache::step::kind::loading)
    out += fmt::format(", {:.2f} ms", std::chrono::duration<double, std::milli>(step.took).count());
  return out;
}

std::function<cache::loader(cache::loader)> slowed_by(std::chrono::milliseconds delay) {
  return [delay](cache::loader load) -> cache::loader {
    return [delay, load = std::move(load)] { return load_later(delay, load); };
  };
}

}  // namespace skirmish::cli
