#include "skirmish/rate_limit.hpp"

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "metrics/registry.hpp"
#include "ratelimit/gcra.hpp"
#include "ratelimit/ratelimit_keys.hpp"
#include "redis/client.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <limits>
#include <vector>

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
                       fills_in_time(p) && is_valid_id(subject) && cost >= 1;
  if (!is_good)
    throw failure(errc::invalid_argument,
                  fmt::format("no rate limit of this kind: policy {}, subject {}, cost {}", p.name,
                              subject, cost));
}

// How long Redis is not asked after it has not answered.
constexpr milliseconds outage_pause{1'000};
// Names of policies that are told apart in the metrics.
constexpr std::size_t counted_policies_max = 256;

// What waits for Redis goes there together: so many at once, in so many scripts.
constexpr std::size_t batch_max = 256;
constexpr std::size_t batches_under_way_max = 2;

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

std::string key_of(std::string_view policy, std::string_view subject) {
  return std::string(policy).append("@").append(subject);
}

// A decision that waits for Redis.
struct question {
  question(asio::io_context& io, rate_policy of, std::string whose, std::int64_t cost)
      : policy(std::move(of)),
        subject(std::move(whose)),
        bucket(gcra::of(policy.rate_per_s, policy.burst)),
        least_us(bucket.us_of(cost)),
        more_us(bucket.us_of(ratelimit::lease_of(policy.lease_tokens, policy.rate_per_s,
                                                 policy.burst, policy.lease_ttl))),
        answered(io) {}
  // Questions that one script can answer.
  [[nodiscard]] bool goes_with(const question& other) const noexcept {
    return bucket.burst_us == other.bucket.burst_us && more_us == other.more_us &&
           policy.name == other.policy.name;
  }

  rate_policy policy;
  std::string subject;
  gcra bucket;
  std::int64_t least_us;
  std::int64_t more_us;  // of a lease
  bool is_done = false;
  std::optional<std::int64_t> room_us;  // before; nullopt: Redis is away
  event answered;                       // set when it is, or when it is its turn to ask
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
  std::string key;                  // of the look-up under way; kept for its storage
  steady::time_point away_until{};  // Redis has not answered
  std::deque<std::shared_ptr<question>> waiting;
  std::size_t batches_under_way = 0;

  std::optional<rate_decision> from_memory(const rate_policy& p, const gcra& g, memory& m,
                                           std::int64_t least_us);
  memory& remember(const std::string& name);
  rate_decision counted(const rate_policy& p, rate_decision d);
  rate_decision without_redis(const rate_policy& p, const gcra& g, memory& m,
                              std::int64_t least_us) const;
  rate_decision decided(const question& q);
  awaitable<void> ask();
  class batch;
};

// Questions on their way. Whatever ends it, all who wait go on.
class rate_limiter::state::batch {
 public:
  explicit batch(state& of) : of_(of), keys_{} {
    ++of_.batches_under_way;
    std::vector<std::shared_ptr<question>> others;
    while (!of_.waiting.empty() && questions_.size() < batch_max) {
      auto q = std::move(of_.waiting.front());
      of_.waiting.pop_front();
      const bool is_taken = questions_.empty() || q->goes_with(*questions_.front());
      (is_taken ? questions_ : others).push_back(std::move(q));
    }
    of_.waiting.insert(of_.waiting.begin(), std::make_move_iterator(others.begin()),
                       std::make_move_iterator(others.end()));
    const auto& first = *questions_.front();
    const bool all_cost_the_same =
        std::all_of(questions_.begin(), questions_.end(),
                    [&](const auto& q) { return q->least_us == first.least_us; });
    keys_ = ratelimit::bucket_keys(of_.options.space, first.policy.name);
    numbers_ = {"",  // on Redis' clock
                std::to_string(first.bucket.burst_us), std::to_string(first.more_us),
                std::to_string(first.bucket.period_us()),
                all_cost_the_same ? std::to_string(first.least_us) : std::string()};
    if (all_cost_the_same) return;
    for (const auto& q : questions_) numbers_.push_back(std::to_string(q->least_us));
  }
  ~batch() {
    --of_.batches_under_way;
    for (const auto& q : questions_) {
      q->is_done = true;
      q->answered.set();
    }
    // The next one that waits asks for all the others.
    if (!of_.waiting.empty()) of_.waiting.front()->answered.set();
  }
  batch(const batch&) = delete;
  batch& operator=(const batch&) = delete;

  [[nodiscard]] std::vector<std::string_view> keys() const { return {keys_.begin(), keys_.end()}; }
  [[nodiscard]] std::vector<std::string_view> args() const {
    const auto start = numbers_.begin();
    std::vector<std::string_view> out(start, start + fixed_args);
    out.reserve(fixed_args + 2 * questions_.size());
    for (const auto& q : questions_) out.emplace_back(q->subject);
    out.insert(out.end(), start + fixed_args, numbers_.end());
    return out;
  }

  void take(const redis::value& reply) {
    for (std::size_t i = 0; i < questions_.size(); ++i)
      questions_[i]->room_us = reply[i].as_integer().value_or(0);
  }

 private:
  static constexpr std::ptrdiff_t fixed_args = 5;

  state& of_;
  std::vector<std::shared_ptr<question>> questions_;
  std::array<std::string, 2> keys_;
  std::vector<std::string>
      numbers_;  // the fixed ones, then what each costs unless that is one of them
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
    if (found == by_policy.end() && by_policy.size() >= counted_policies_max)
      found = by_policy.find("other");
    if (found == by_policy.end()) {
      const auto name = by_policy.size() + 1 < counted_policies_max ? p.name : "other";
      const auto add = [&](std::string_view outcome) {
        return &options.metrics->add_counter(
            "skirmish_rate_limit_decisions_total", "Decisions of rate limits.",
            fmt::format("policy=\"{}\",outcome=\"{}\"", metrics::registry::label_value(name),
                        outcome));
      };
      found =
          by_policy.emplace(name, counters{add("allowed"), add("refused"), add("shadowed")}).first;
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

// What an answer of Redis, or none, means.
rate_decision rate_limiter::state::decided(const question& q) {
  const auto& p = q.policy;
  const auto& g = q.bucket;
  const auto [granted_us, wait_us, unused] =
      q.room_us ? gcra::grant_of(*q.room_us, q.least_us, q.least_us + q.more_us) : gcra::grant{};
  const auto room_us = q.room_us.value_or(0) - granted_us;
  // Without a lease there is nothing that the next decision could do with.
  if (granted_us > 0 && q.more_us == 0) return counted(p, {true, room_us / g.token_us, {}});
  auto& m = remember(key_of(p.name, q.subject));
  if (!q.room_us) return counted(p, without_redis(p, g, m, q.least_us));
  m.room_us = room_us;
  const auto now = steady::now();
  if (granted_us == 0) {
    m.refused_until = now + microseconds{wait_us};
    m.refused_us = q.least_us;
    return counted(p, {false, room_us / g.token_us, to_wait(wait_us)});
  }
  m.refused_until = {};
  // Of two answers to the same subject, both leases count.
  if (m.spend_until <= now) m.left_us = 0;
  m.left_us += granted_us - q.least_us;
  m.spend_until = now + p.lease_ttl;
  return counted(p, {true, (m.left_us + room_us) / g.token_us, milliseconds{0}});
}

// Asks for all who wait.
awaitable<void> rate_limiter::state::ask() {
  batch asked(*this);
  const auto keys = asked.keys();
  const auto args = asked.args();
  const redis::exec_options patience{options.answer_timeout};
  try {
    const auto reply = redis::checked(co_await redis.eval(take_script, keys, args, patience));
    asked.take(reply);
  } catch (const failure&) {
    // Redis' client logs it once; the policy says what happens now.
    away_until = steady::now() + outage_pause;
  }
}

bool fills_in_time(const rate_policy& policy) noexcept {
  const std::chrono::duration<double> most = rate_fill_max;
  return static_cast<double>(policy.burst) <= policy.rate_per_s * most.count();
}

rate_limiter::rate_limiter(redis::client& redis, rate_limiter_options options)
    : state_(std::make_unique<state>(state{redis, std::move(options), {}, {}, {}, {}, {}})) {}

rate_limiter::~rate_limiter() = default;

void rate_limiter::forget() { state_->subjects.clear(); }

std::optional<rate_decision> rate_limiter::try_take(const rate_policy& policy,
                                                    std::string_view subject, std::int64_t cost) {
  auto& key = state_->key;
  key.assign(policy.name).append("@").append(subject);
  const auto found = state_->subjects.find(key);
  if (found == state_->subjects.end() || cost > policy.burst) return std::nullopt;
  const auto g = gcra::of(policy.rate_per_s, policy.burst);
  return state_->from_memory(policy, g, found->second, g.us_of(cost));
}

bool rate_limiter::spend_held(const rate_policy& policy, std::string_view subject,
                              std::int64_t cost) {
  auto& key = state_->key;
  key.assign(policy.name).append("@").append(subject);
  const auto found = state_->subjects.find(key);
  if (found == state_->subjects.end()) return false;
  auto& m = found->second;
  const auto cost_us = gcra::of(policy.rate_per_s, policy.burst).us_of(cost);
  if (m.spend_until <= steady::now() || m.left_us < cost_us) return false;
  m.left_us -= cost_us;
  state_->counted(policy, {});
  return true;
}

awaitable<rate_decision> rate_limiter::take(rate_policy policy, std::string subject,
                                            std::int64_t cost) {
  check(policy, subject, cost);
  if (cost > policy.burst)
    co_return state_->counted(policy, {false, policy.burst, milliseconds::max()});
  if (auto known = try_take(policy, subject, cost)) co_return *known;

  if (state_->away_until > steady::now()) {
    const auto g = gcra::of(policy.rate_per_s, policy.burst);
    auto& m = state_->remember(key_of(policy.name, subject));
    co_return state_->counted(policy, state_->without_redis(policy, g, m, g.us_of(cost)));
  }
  const auto q = std::make_shared<question>(state_->redis.context(), std::move(policy),
                                            std::move(subject), cost);
  // Until it has its answer, or until that has taken too long.
  const auto until = steady::now() + state_->options.answer_timeout;
  state_->waiting.push_back(q);
  while (!q->is_done) {
    // It may be in a batch of somebody else by now.
    if (state_->batches_under_way < batches_under_way_max && !state_->waiting.empty()) {
      co_await state_->ask();
      continue;
    }
    const bool has_changed = co_await q->answered.wait_until(until);
    if (q->is_done || has_changed) continue;
    std::erase(state_->waiting, q);
    break;
  }
  co_return state_->decided(*q);
}

}  // namespace skirmish
