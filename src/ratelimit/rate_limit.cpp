#include "skirmish/rate_limit.hpp"

#include "core/error.hpp"
#include "core/ids.hpp"
#include "metrics/registry.hpp"
#include "ratelimit/gcra.hpp"
#include "ratelimit/ratelimit_keys.hpp"
#include "redis/client.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <fmt/format.h>

#include <array>
#include <limits>

namespace skirmish {
namespace {

using ratelimit::gcra;
using steady = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

const redis::script take_script{
    "ratelimit/take",
#include "ratelimit/take.lua.inc"
};

void check(const rate_policy& p, std::string_view subject, std::int64_t cost) {
  const bool is_good = is_valid_id(p.name) && p.rate_per_s >= 1e-6 && p.rate_per_s <= 1e6 &&
                       p.burst >= 1 && p.burst <= 1'000'000'000 && p.lease_tokens >= 0 &&
                       is_valid_id(subject) && cost >= 1;
  if (!is_good)
    throw failure(errc::invalid_argument,
                  fmt::format("no rate limit of this kind: policy {}, subject {}, cost {}", p.name,
                              subject, cost));
}

milliseconds to_wait(std::int64_t wait_us) {
  return std::chrono::ceil<milliseconds>(microseconds{wait_us});
}

// What is known of a subject without asking.
struct memory {
  std::int64_t left_us = 0;  // granted and not spent
  steady::time_point spend_until{};
  std::int64_t room_us = 0;            // what Redis had beside that
  steady::time_point refused_until{};  // for what costs refused_us or more
  std::int64_t refused_us = 0;
  std::int64_t own_arrival_us = 0;  // of this process alone, while Redis is away
  [[nodiscard]] bool is_past(steady::time_point now) const {
    return spend_until <= now && refused_until <= now;
  }
};

struct counters {
  metrics::counter* allowed = nullptr;
  metrics::counter* refused = nullptr;
  metrics::counter* shadowed = nullptr;
};

}  // namespace

struct rate_limiter::state {
  redis::client& redis;
  rate_limiter_options options;
  boost::unordered_flat_map<std::string, memory> subjects;  // by key
  boost::unordered_flat_map<std::string, counters> by_policy;
  std::string key;  // of the look-up under way; kept for its storage

  std::optional<rate_decision> from_memory(const rate_policy& p, const gcra& g, memory& m,
                                           std::int64_t least_us);
  memory& remember(const std::string& name);
  rate_decision counted(const rate_policy& p, rate_decision d);
  rate_decision without_redis(const rate_policy& p, const gcra& g, memory& m,
                              std::int64_t least_us) const;
};

std::optional<rate_decision> rate_limiter::state::from_memory(const rate_policy& p, const gcra& g,
                                                              memory& m, std::int64_t least_us) {
  const auto now = steady::now();
  if (m.spend_until > now && m.left_us >= least_us) {
    m.left_us -= least_us;
    return counted(p, {true, (m.left_us + m.room_us) / g.token_us, milliseconds{0}});
  }
  if (m.refused_until > now && least_us >= m.refused_us) {
    const auto wait = std::chrono::ceil<milliseconds>(m.refused_until - now);
    return counted(p, {false, m.room_us / g.token_us, wait});
  }
  return std::nullopt;
}

memory& rate_limiter::state::remember(const std::string& name) {
  if (subjects.size() >= options.subjects_limit) {
    boost::unordered::erase_if(
        subjects, [now = steady::now()](const auto& entry) { return entry.second.is_past(now); });
    // All of them are in use: forgetting costs a question to Redis each, and no exactness.
    if (subjects.size() >= options.subjects_limit) subjects.clear();
  }
  return subjects[name];
}

rate_decision rate_limiter::state::counted(const rate_policy& p, rate_decision d) {
  counters none;
  auto* c = &none;
  if (options.metrics) {
    auto found = by_policy.find(p.name);
    if (found == by_policy.end()) {
      const auto add = [&](std::string_view outcome) {
        return &options.metrics->add_counter(
            "skirmish_rate_limit_decisions_total", "Decisions of rate limits.",
            fmt::format("policy=\"{}\",outcome=\"{}\"", metrics::registry::label_value(p.name),
                        outcome));
      };
      found = by_policy.emplace(p.name, counters{add("allowed"), add("refused"), add("shadowed")})
                  .first;
    }
    c = &found->second;
  }
  auto* what = d.allowed ? c->allowed : p.shadow ? c->shadowed : c->refused;
  if (what) what->add();
  if (p.shadow) d.allowed = true;
  return d;
}

// The same policy for this process alone, on its own clock.
rate_decision rate_limiter::state::without_redis(const rate_policy& p, const gcra& g, memory& m,
                                                 std::int64_t least_us) const {
  if (p.on_outage == rate_outage::open) return {true, p.burst, milliseconds{0}};
  if (p.on_outage == rate_outage::closed) return {false, 0, milliseconds{1'000}};
  const auto now_us =
      std::chrono::duration_cast<microseconds>(steady::now().time_since_epoch()).count();
  const auto granted = g.take(m.own_arrival_us, now_us, least_us, least_us);
  m.own_arrival_us = granted.arrival_us;
  const auto room = std::max<std::int64_t>(now_us + g.burst_us - granted.arrival_us, 0);
  return {granted.granted_us > 0, room / g.token_us, to_wait(granted.wait_us)};
}

rate_limiter::rate_limiter(redis::client& redis, rate_limiter_options options)
    : state_(std::make_unique<state>(state{redis, std::move(options), {}, {}, {}})) {}

rate_limiter::~rate_limiter() = default;

std::optional<rate_decision> rate_limiter::try_take(const rate_policy& policy,
                                                    std::string_view subject, std::int64_t cost) {
  auto& key = state_->key;
  key.assign(policy.name).append("@").append(subject);
  const auto found = state_->subjects.find(key);
  if (found == state_->subjects.end() || cost > policy.burst) return std::nullopt;
  const auto g = gcra::of(policy.rate_per_s, policy.burst);
  return state_->from_memory(policy, g, found->second, cost * g.token_us);
}

awaitable<rate_decision> rate_limiter::take(rate_policy policy, std::string subject,
                                            std::int64_t cost) {
  check(policy, subject, cost);
  if (cost > policy.burst)
    co_return state_->counted(policy, {false, policy.burst, milliseconds::max()});
  if (auto known = try_take(policy, subject, cost)) co_return *known;

  const auto g = gcra::of(policy.rate_per_s, policy.burst);
  const auto least_us = cost * g.token_us;
  const auto want_us = std::min(g.burst_us, (cost + policy.lease_tokens) * g.token_us);
  const auto key = ratelimit::limit_key(state_->options.space, policy.name, subject);
  const auto least = std::to_string(least_us);
  const auto want = std::to_string(want_us);
  const auto burst = std::to_string(g.burst_us);
  const std::array<std::string_view, 1> keys{key};
  const std::array<std::string_view, 4> args{least, want, burst, ""};
  const auto name = policy.name + "@" + subject;
  std::optional<redis::value> reply;
  try {
    reply = redis::checked(co_await state_->redis.eval(take_script, keys, args));
  } catch (const failure&) {
    // Redis' client logs it once; the policy says what happens now.
  }
  auto& m = state_->remember(name);
  if (!reply) co_return state_->counted(policy, state_->without_redis(policy, g, m, least_us));
  const auto granted_us = (*reply)[0].as_integer().value_or(0);
  const auto wait_us = (*reply)[1].as_integer().value_or(0);
  m.room_us = (*reply)[2].as_integer().value_or(0);
  const auto now = steady::now();
  if (granted_us == 0) {
    m.refused_until = now + microseconds{wait_us};
    m.refused_us = least_us;
    co_return state_->counted(policy, {false, m.room_us / g.token_us, to_wait(wait_us)});
  }
  m.refused_until = {};
  // Of two answers to the same subject, both leases count.
  if (m.spend_until <= now) m.left_us = 0;
  m.left_us += granted_us - least_us;
  m.spend_until = now + policy.lease_ttl;
  co_return state_->counted(policy, {true, (m.left_us + m.room_us) / g.token_us, milliseconds{0}});
}

}  // namespace skirmish
