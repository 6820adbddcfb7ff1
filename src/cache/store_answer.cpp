// Answering: single flight, claim, load, fill, and what is served when something fails.
#include "cache/cache_keys.hpp"
#include "cache/store_impl.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cmath>
#include <random>

namespace skirmish::cache {
namespace {

using namespace std::chrono_literals;

const redis::script claim_script{
    "cache_claim",
#include "cache/claim.lua.inc"
};
const redis::script fail_script{
    "cache_fail",
#include "cache/fail.lua.inc"
};

// A load that invalidations keep overtaking is answered unstored after so many tries.
constexpr int load_limit = 3;
constexpr auto failed_pause = 250ms;
constexpr auto poll_first = 2ms;
constexpr auto poll_limit = 50ms;
// -ln(u) exceeds this with probability 2e-9: earlier, XFetch need not throw its dice.
constexpr double never_early_factor = 20;
constexpr std::size_t token_bytes = 16;

double uniform_0_1() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0x1p-53, 1.0)(random);
}

std::exception_ptr as_problem_for_others(const std::exception_ptr& problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const boost::system::system_error&) {
    // The maker was cancelled, which says nothing about those who wait for it.
    return std::make_exception_ptr(failure(errc::unavailable, "cache: the load was given up"));
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

bool cache::store::impl::is_due_early(const question& q, std::chrono::milliseconds fresh_left) {
  const std::chrono::duration<double> left = fresh_left;
  const double scale = q.counters->load_cost().count() * q.policy.early_refresh;
  if (left.count() > scale * never_early_factor) return false;
  return -std::log(uniform_0_1()) * scale >= left.count();
}

// The work runs as a task of its own: when the caller that began it goes away, the others still get
// their answer.
void cache::store::impl::start(const question& q, const std::string& flight_key,
                               std::shared_ptr<cache::flight> flight,
                               std::function<awaitable<cache::answer>(question)> work) {
  // Lands in any case, also when the task is dropped unfinished.
  struct landing {
    std::shared_ptr<cache::flights> flights;
    std::string key;
    std::shared_ptr<cache::flight> flight;
    bool done = false;
    void land(cache::answer answer, std::exception_ptr problem) {
      done = true;
      flights->land(key, flight, std::move(answer), std::move(problem));
    }
    ~landing() {
      if (!done) land({}, std::make_exception_ptr(failure(errc::unavailable, "cache: stopping")));
    }
  };
  auto strip = std::make_shared<landing>();
  strip->flights = options.flights;
  strip->key = flight_key;
  strip->flight = std::move(flight);
  tasks.spawn("cache_flight", [q, strip, work = std::move(work)]() -> awaitable<void> {
    cache::answer answer;
    std::exception_ptr problem;
    try {
      answer = co_await work(q);
    } catch (...) {
      problem = as_problem_for_others(std::current_exception());
    }
    strip->land(std::move(answer), problem);
  });
}

void cache::store::impl::refresh_behind(const question& q) {
  const auto flight_key = q.key + "\nrefresh";
  auto [flight, first] = options.flights->join(flight_key);
  if (!first) return;
  start(q, flight_key, flight, [this](question asked) -> awaitable<cache::answer> {
    const stored old{.value = std::make_shared<const cache::content>(), .fresh_left = {}};
    co_await try_load(asked, old);
    co_return cache::answer{};
  });
}

awaitable<cache::answer> cache::store::impl::answer(question q) {
  const auto limit = std::chrono::steady_clock::now() + q.policy.wait_limit;
  auto pause = poll_first;
  bool counted_wait = false;
  while (true) {
    stored found;
    bool redis_failed = false;
    const auto begin = std::chrono::steady_clock::now();
    try {
      found = co_await read(q);
      if (found.fresh()) {
        tell(cache::step::kind::found_in_redis, q.key, begin);
        if (is_due_early(q, found.fresh_left)) refresh_behind(q);
        co_return cache::answer{found.value, cache::source::hit};
      }
      if (found.value && found.fresh_left + q.policy.stale_while_revalidate > 0ms) {
        tell(cache::step::kind::found_stale, q.key, begin);
        refresh_behind(q);
        co_return cache::answer{found.value, cache::source::stale};
      }
    } catch (const failure& e) {
      redis_failed = true;
      log::debug("cache_read_failed", {{"key", q.key}, {"error", e.what()}});
    }
    if (redis_failed) co_return co_await answer_without_redis(q);
    if (auto answered = co_await try_load(q, found)) co_return std::move(*answered);

    if (std::chrono::steady_clock::now() >= limit)
      throw failure(errc::unavailable, "cache: another load did not end in time: " + q.key);
    if (!counted_wait) q.counters->waits.add();
    counted_wait = true;
    asio::steady_timer timer(io, pause);
    co_await timer.async_wait(use_awaitable);
    pause = std::min<std::chrono::milliseconds>(pause * 2, poll_limit);
  }
}

awaitable<cache::answer> cache::store::impl::answer_without_redis(const question& q) {
  auto value = co_await load(q);
  co_return cache::answer{std::move(value), cache::source::miss};
}

// Loads when nobody else does. Nothing when the caller should look again in a moment.
awaitable<std::optional<cache::answer>> cache::store::impl::try_load(const question& q,
                                                                     const stored& old) {
  const bool despite_value = old.value != nullptr || old.wrong_type;
  std::shared_ptr<cache::content> value;
  std::exception_ptr problem;
  for (int round = 1; round <= load_limit; ++round) {
    const auto token = random_hex(token_bytes);
    const auto outcome = co_await take_claim(q, token, despite_value);
    if (outcome == claim::none) co_return cache::answer{nullptr, cache::source::hit};
    if (outcome != claim::claimed) {
      if (old.value) co_return cache::answer{old.value, cache::source::stale};
      if (outcome == claim::failed)
        throw failure(errc::unavailable, "cache: the source failed a moment ago: " + q.key);
      co_return std::nullopt;
    }
    try {
      value = co_await load(q);
    } catch (...) {
      problem = std::current_exception();
    }
    if (problem) {
      co_await give_up(q, token);
      if (old.value) co_return cache::answer{old.value, cache::source::stale};
      std::rethrow_exception(problem);
    }
    bool is_stored = false;
    try {
      is_stored = co_await fill(q, token, value.get());
    } catch (const failure& e) {
      if (e.code() == errc::internal) throw;
      log::debug("cache_fill_failed", {{"key", q.key}, {"error", e.what()}});
      break;
    }
    if (is_stored) break;
    q.counters->discarded.add();
  }
  co_return cache::answer{std::move(value), cache::source::miss};
}

awaitable<std::shared_ptr<cache::content>> cache::store::impl::load(const question& q) {
  const auto begin = std::chrono::steady_clock::now();
  std::optional<cache::content> content;
  std::exception_ptr problem;
  tell(cache::step::kind::loading, q.key, begin);
  const auto loader = options.hooks.around_load ? options.hooks.around_load(q.load) : q.load;
  try {
    content = co_await asio::co_spawn(io, loader,
                                      asio::cancel_after(q.policy.load_timeout, use_awaitable));
  } catch (...) {
    problem = std::current_exception();
  }
  const auto took = std::chrono::steady_clock::now() - begin;
  q.counters->count_load(took);
  if (problem) {
    q.counters->load_failures.add();
    if (took >= q.policy.load_timeout)
      throw failure(errc::unavailable, "cache: the source did not answer: " + q.key);
    std::rethrow_exception(problem);
  }
  tell(cache::step::kind::loaded, q.key, begin);
  if (!content) co_return nullptr;
  co_return std::make_shared<cache::content>(std::move(*content));
}

awaitable<cache::store::impl::claim> cache::store::impl::take_claim(const question& q,
                                                                    const std::string& token,
                                                                    bool despite_value) {
  const auto lease = std::to_string((q.policy.load_timeout + 1s).count());
  const auto load_key = cache_keys::load(options.space, q.name);
  const std::vector<std::string_view> keys{q.key, load_key};
  const std::vector<std::string_view> args{token, lease, despite_value ? "1" : "0"};
  try {
    const auto word = redis::checked(co_await redis.eval(claim_script, keys, args)).as_string();
    if (word == "claimed") co_return claim::claimed;
    if (word == "none") co_return claim::none;
    if (word == "failed") co_return claim::failed;
    co_return word == "present" ? claim::present : claim::busy;
  } catch (const failure&) {
    // Redis went away: load anyway; the fill will fail as well.
    co_return claim::claimed;
  }
}

awaitable<void> cache::store::impl::give_up(const question& q, const std::string& token) {
  const auto load_key = cache_keys::load(options.space, q.name);
  const auto pause = std::to_string(failed_pause.count());
  const std::vector<std::string_view> keys{load_key};
  const std::vector<std::string_view> args{token, pause};
  try {
    co_await redis.eval(fail_script, keys, args);
  } catch (const failure& e) {
    log::debug("cache_give_up_failed", {{"key", q.key}, {"error", e.what()}});
  }
}

named_cache::named_cache(cache::store& store, std::string name, cache::policy policy)
    : store_(*store.impl_),
      policy_(std::move(policy)),
      counters_(std::make_shared<counters>(store_.metrics, name)) {}

named_cache::~named_cache() = default;

std::optional<cache::answer> named_cache::peek(std::string_view name) {
  return store_.peek(store_.options.space.key(name), *counters_);
}

awaitable<cache::answer> named_cache::get_or_load(std::string name, cache::loader load) {
  return get_or_load(std::move(name), std::move(load), policy_);
}

awaitable<cache::answer> named_cache::get_or_load(std::string name, cache::loader load,
                                                  cache::policy policy) {
  auto key = store_.options.space.key(name);
  timestamp fresh_until;
  const auto begin = std::chrono::steady_clock::now();
  auto kept = store_.peek(key, *counters_, &fresh_until);
  question q{std::move(name), std::move(key), std::move(load), std::move(policy), counters_};
  if (kept) {
    store_.tell(cache::step::kind::found_in_memory, q.key, begin);
    if (cache::store::impl::is_due_early(q, fresh_until - store_.time.now()))
      store_.refresh_behind(q);
    co_return std::move(*kept);
  }
  auto [flight, first] = store_.options.flights->join(q.key);
  if (first) {
    auto* store = &store_;
    store_.start(q, q.key, flight,
                 [store](question asked) { return store->answer(std::move(asked)); });
  } else {
    counters_->waits.add();
  }
  // Every part of a flight ends by itself within this.
  const auto limit = q.policy.wait_limit + load_limit * q.policy.load_timeout + 30s;
  auto answer = co_await flight->landed(limit);
  counters_->count(answer.from);
  co_return answer;
}

awaitable<std::optional<cache::answer>> named_cache::get_cache(std::string name) {
  auto key = store_.options.space.key(name);
  if (auto kept = store_.peek(key, *counters_)) co_return kept;
  const question q{std::move(name), std::move(key), nullptr, policy_, counters_};
  auto found = co_await store_.read(q);
  if (!found.value) {
    counters_->misses.add();
    co_return std::nullopt;
  }
  const auto from = found.fresh() ? cache::source::hit : cache::source::stale;
  counters_->count(from);
  co_return cache::answer{std::move(found.value), from};
}

awaitable<void> named_cache::set_cache(std::string name, cache::content content,
                                       std::optional<std::chrono::milliseconds> ttl) {
  auto policy = policy_;
  policy.ttl = ttl.value_or(policy_.ttl);
  return store_.put(std::move(name), std::move(content), std::move(policy));
}

awaitable<void> named_cache::invalidate_cache(std::string name) {
  return store_.invalidate(std::move(name));
}

}  // namespace skirmish::cache
