// Rate limits that many processes share, exact on Redis' clock.
//
//   rate_limiter limits(redis, {.metrics = &metrics});            // one per thread, on that of its
//   client const rate_policy logins{.name = "logins", .rate_per_s = 2, .burst = 10};
//
//   const auto verdict = co_await limits.take(logins, "203.0.113.7");
//   if (!verdict.allowed) return too_many_requests(verdict.retry_after);
//
// The algorithm is GCRA, the Generic Cell Rate Algorithm (ITU-T I.371; a bucket of `burst` tokens
// that refills at `rate_per_s`, kept as one number per subject): one script per decision, on the
// clock of the Redis server, so that the clocks of the callers do not matter.
//
// Two things save calls to Redis. With `lease_tokens`, a process takes that many tokens at once and
// spends them from memory. And a refusal is remembered until the moment at which the bucket can
// have what was asked for, so that a flood costs nothing.
//
// While Redis does not answer, the policy says what happens: nobody waits for it longer than
// `answer_timeout`, and after a failure it is asked again a second later.
//
// How exact is it? Without leases: no subject ever gets more than `burst` tokens at once nor, over
// any time t, more than burst + rate_per_s * t. With leases, tokens that were taken and not spent
// may be spent up to `lease_ttl` later: each process adds at most its lease to that bound. So that
// nobody gets noticeably less either, a lease is never more than a hundredth of the burst nor than
// a tenth of what comes back within lease_ttl; where that is less than one token, every decision
// asks Redis.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish {

namespace redis {
class client;
}
namespace metrics {
class registry;
}

// What happens to decisions while Redis does not answer.
enum class rate_outage {
  local,   // each process limits by the same policy on its own
  open,    // everything is allowed
  closed,  // everything is refused
};

struct rate_policy {
  // An id (core/ids.hpp): part of the key `ratelimit:<name>@<subject>` and a label of the metrics.
  std::string name;
  double rate_per_s = 1;  // 0.000001 to 1,000,000
  // Tokens that may be spent at once, 1 to 1,000,000,000; at most what comes back in 366 days.
  std::int64_t burst = 1;
  // Tokens that a process takes from Redis at once, at most (see above); 0: every decision asks
  // Redis.
  std::int64_t lease_tokens = 0;
  std::chrono::milliseconds lease_ttl{1'000};  // then what was not spent of them is lost
  rate_outage on_outage = rate_outage::local;
  bool shadow = false;  // counts what it would refuse, and allows it
  bool operator==(const rate_policy&) const = default;
};

// A bucket that would take longer to fill is no rate limit, and Redis would keep it for as long.
inline constexpr std::chrono::hours rate_fill_max{366 * 24};
bool fills_in_time(const rate_policy& policy) noexcept;

struct rate_decision {
  bool allowed = true;
  // Tokens that the subject could spend now: what the last answer of Redis said, less what this
  // process has spent since.
  std::int64_t remaining = 0;
  // Until as many tokens as were asked for are there; 0 when allowed, max() when never (the cost is
  // above the burst).
  std::chrono::milliseconds retry_after{0};
};

struct rate_limiter_options {
  redis::key_space space = {};           // in front of every key
  std::size_t subjects_limit = 100'000;  // remembered in memory; those of the past go first
  std::chrono::milliseconds answer_timeout{250};  // then Redis counts as away for a second
  metrics::registry* metrics = nullptr;           // null: nothing is counted
};

// Belongs to the thread of its client.
class rate_limiter {
 public:
  explicit rate_limiter(redis::client& redis, rate_limiter_options options = {});
  ~rate_limiter();
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;

  // Spends `cost` tokens of `subject` (an id: a player's, a key's, an address), or nothing when
  // they are not there. Never throws for Redis' sake. Throws failure{invalid_argument} for a
  // policy, subject or cost outside its range.
  awaitable<rate_decision> take(rate_policy policy, std::string subject, std::int64_t cost = 1);

  // The decision when it needs no answer of Redis; nullopt when take() has to ask. For hot paths:
  // no coroutine, no allocation.
  std::optional<rate_decision> try_take(const rate_policy& policy, std::string_view subject,
                                        std::int64_t cost = 1);

  // Spends tokens that are held from a lease. False when there are none: then nothing was decided,
  // and nothing is counted.
  bool spend_held(const rate_policy& policy, std::string_view subject, std::int64_t cost = 1);

  // Drops what is remembered, unspent leases too: call it when a policy has changed.
  void forget();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace skirmish
