#include "request_limits/request_limits.hpp"

#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "request_limits/request_limits_keys.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace skirmish::request_limits {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t roles_count = 4;
constexpr auto follow_interval = 500ms;

std::string_view subject_of(const request_policy& p, const http::caller& who) {
  const std::string_view subject = p.by == subject::address ? who.address : who.id;
  return is_valid_id(subject) ? subject : "unknown";
}

template <class... Args>
void add_item(std::string& to, fmt::format_string<Args...> form, Args&&... args) {
  if (!to.empty()) to += ", ";
  fmt::format_to(std::back_inserter(to), form, std::forward<Args>(args)...);
}

std::int64_t whole_seconds(double seconds) {
  return static_cast<std::int64_t>(std::ceil(std::min(seconds, 1e12)));
}

// Adds what one limit says of itself: its burst as the quota, and the time in which that grows.
void describe(http::passage& out, const request_policy& p, const rate_decision& d) {
  if (p.limit.shadow) return;
  const auto& l = p.limit;
  const auto window_s = whole_seconds(static_cast<double>(l.burst) / l.rate_per_s);
  const auto full_s = whole_seconds(static_cast<double>(l.burst - d.remaining) / l.rate_per_s);
  const bool comes_back = !d.allowed && d.retry_after != std::chrono::milliseconds::max();
  const auto reset_s =
      comes_back ? std::chrono::ceil<std::chrono::seconds>(d.retry_after).count() : full_s;
  add_item(out.policies, R"("{}";q={};w={})", l.name, l.burst, window_s);
  add_item(out.state, R"("{}";r={};t={})", l.name, std::max<std::int64_t>(d.remaining, 0), reset_s);
}

}  // namespace

// What concerns whom, found by index: nothing is compared while requests are served.
struct service::table {
  using indices = std::vector<std::size_t>;
  std::vector<request_policy> policies;
  std::vector<std::array<indices, roles_count>> by_target;
};

service::service(redis::client& redis, const redis::key_space& keys, metrics::registry& metrics,
                 const setting_list& settings)
    : redis_(redis),
      keys_(keys),
      limiter_(redis, {.space = keys, .metrics = &metrics}),
      table_(std::make_shared<table>()) {
  auto configured = configured_policies(settings);
  if (!configured)
    throw failure(errc::invalid_argument, "rate_limits: " + configured.error().message);
  configured_ = std::move(*configured);
}

http::gate::target service::add_target(std::string_view method, std::string_view name) {
  targets_.push_back({std::string(method), std::string(name)});
  return targets_.size() - 1;
}

bool service::concerns(target to, http::role as) const noexcept {
  return to < table_->by_target.size() &&
         !table_->by_target[to][static_cast<std::size_t>(as)].empty();
}

awaitable<http::passage> service::pass(target to, http::caller who, std::int64_t cost,
                                       std::int64_t paid) {
  http::passage out;
  const auto now = table_;
  if (to >= now->by_target.size()) co_return out;
  for (const auto i : now->by_target[to][static_cast<std::size_t>(who.as)]) {
    const auto& p = now->policies[i];
    const auto subject = subject_of(p, who);
    // More than the bucket holds is refused without being taken.
    const auto asked = cost + paid > p.limit.burst ? cost + paid : cost;
    auto d = limiter_.try_take(p.limit, subject, asked);
    if (!d) {
      // Copies: what they are made of may go while Redis is asked.
      auto limit = p.limit;
      std::string name(subject);
      d = co_await limiter_.take(std::move(limit), std::move(name), asked);
    }
    describe(out, p, *d);
    if (d->allowed) continue;
    out.allowed = false;
    out.limit = p.limit.name;
    out.retry_after = d->retry_after;
    co_return out;
  }
  co_return out;
}

bool service::passes_at_once(target to, std::string_view address) {
  if (!concerns(to, http::role::anonymous)) return true;
  const auto& concerned = table_->by_target[to][static_cast<std::size_t>(http::role::anonymous)];
  // With several, one may have been paid when another has to ask.
  if (concerned.size() > 1 || !is_valid_id(address)) return false;
  const auto& p = table_->policies[concerned.front()];
  if (p.by != subject::address) return false;
  return limiter_.spend_held(p.limit, address);
}

const request_policy* service::configured(std::string_view name) const {
  const auto found = std::find_if(configured_.begin(), configured_.end(),
                                  [&](const auto& p) { return p.limit.name == name; });
  return found == configured_.end() ? nullptr : &*found;
}

// Every pattern fits something, so that a misspelt one is noticed.
result<void> service::check_routes_of(const request_policy& p) const {
  for (const std::string& r : p.routes) {
    const std::vector<std::string> alone{r.starts_with('!') ? r.substr(1) : r};
    const auto is_fitting = [&](const auto& t) { return fits(alone, t.method, t.name); };
    if (std::any_of(targets_.begin(), targets_.end(), is_fitting)) continue;
    std::vector<std::string> known;
    for (const auto& t : targets_) known.push_back(t.method + " " + t.name);
    const auto best = nearest(alone.front(), known);
    return error{errc::invalid_argument,
                 fmt::format("`{}`: no route and no message fits `{}`{}", p.limit.name, r,
                             best.empty() ? "" : fmt::format("; did you mean `{}`?", best))};
  }
  const auto is_limited = [&](const auto& t) { return fits(p.routes, t.method, t.name); };
  if (std::any_of(targets_.begin(), targets_.end(), is_limited)) return {};
  return error{errc::invalid_argument,
               fmt::format("`{}`: all that its routes name is left out with `!`", p.limit.name)};
}

void service::targets_complete() {
  for (const auto& p : configured_)
    if (auto fine = check_routes_of(p); !fine)
      throw failure(errc::invalid_argument, "rate_limits: " + fine.error().message);
  rebuild();
}

std::vector<known_policy> service::list() const {
  std::map<std::string, known_policy> out;
  const auto built_in = default_policies();
  for (const auto& p : configured_) {
    const bool is_default = std::find(built_in.begin(), built_in.end(), p) != built_in.end();
    out[p.limit.name] = {p, is_default ? origin::built_in : origin::configuration};
  }
  for (const auto& [name, p] : live_) out[name] = {p, origin::live};
  std::vector<known_policy> all;
  for (auto& [name, p] : out) all.push_back(std::move(p));
  return all;
}

// The narrower ones first: who is refused by one has not paid the wider ones.
void service::rebuild() {
  auto next = std::make_shared<table>();
  for (const auto& p : configured_)
    if (!live_.contains(p.limit.name)) next->policies.push_back(p);
  for (const auto& [name, p] : live_) next->policies.push_back(p);
  std::erase_if(next->policies, [](const auto& p) { return !p.enabled; });
  std::stable_sort(next->policies.begin(), next->policies.end(), [](const auto& a, const auto& b) {
    const auto is_wide = [](const auto& p) {
      return std::find(p.routes.begin(), p.routes.end(), "*") != p.routes.end();
    };
    return !is_wide(a) && is_wide(b);
  });
  next->by_target.resize(targets_.size());
  for (std::size_t i = 0; i < next->policies.size(); ++i)
    for (std::size_t t = 0; t < targets_.size(); ++t) {
      if (!fits(next->policies[i].routes, targets_[t].method, targets_[t].name)) continue;
      for (const auto as : next->policies[i].roles)
        next->by_target[t][static_cast<std::size_t>(as)].push_back(i);
    }
  table_ = std::move(next);
}

awaitable<result<known_policy>> service::put(std::string name, json::object members) {
  const auto followed = co_await follow_once();
  if (!followed) co_return followed.error();
  request_policy base;
  base.limit.rate_per_s = 0;  // a new one has to say how many
  base.limit.burst = 0;
  if (const auto* known = configured(name)) base = *known;
  base.limit.name = name;
  auto made = from_json(members, std::move(base));
  if (!made) co_return made.error();
  if (auto fine = check_routes_of(*made); !fine) co_return fine.error();
  const bool is_known = live_.contains(name) || configured(name) != nullptr;
  if (!is_known && list().size() >= policies_max)
    co_return error{errc::conflict, fmt::format("there may be {} policies", policies_max)};
  const auto text = json_text_of(to_json(*made));
  redis::checked(co_await redis_.command("HSET", policies_key(keys_), name, text));
  const auto in_force = co_await follow_once();
  if (!in_force) co_return in_force.error();
  co_return known_policy{std::move(*made), origin::live};
}

awaitable<result<void>> service::remove(std::string name) {
  const auto key = policies_key(keys_);
  const auto raw = co_await redis_.command("HDEL", key, name);
  if (redis::is_wrong_type(raw)) co_return redis::damaged_key(key);
  const auto removed = redis::checked(raw);
  if (!removed.as_bool())
    co_return error{errc::not_found, "no policy of this name was set over the API"};
  co_return co_await follow_once();
}

awaitable<void> service::run() {
  // While Redis is away, what was known last holds.
  repeat how{.interval = follow_interval, .failed = "rate_policies_not_read"};
  auto round = [this]() -> awaitable<void> { co_await follow_once(); };
  return repeat_every(std::move(how), std::move(round));
}

awaitable<result<void>> service::follow_once() {
  const auto key = policies_key(keys_);
  const auto raw = co_await redis_.command("HGETALL", key);
  if (redis::is_wrong_type(raw)) {
    damaged_.report(key);
    co_return redis::damaged_key(key);
  }
  const auto reply = redis::checked(raw);
  std::map<std::string, std::string> stored;
  for (const auto& [name, text] : reply.as_pairs()) stored.emplace(name, text);
  if (stored != stored_) apply(std::move(stored));
  co_return result<void>{};
}

void service::apply(std::map<std::string, std::string> stored) {
  std::map<std::string, request_policy> live;
  for (const auto& [name, text] : stored) {
    error_code ec;
    const auto read = json::parse(text, ec);
    request_policy base;
    base.limit.name = name;
    auto made = ec || !read.is_object()
                    ? result<request_policy>(error{errc::invalid_argument, "no JSON object"})
                    : from_json(read.get_object(), std::move(base));
    if (made && live.size() < policies_max)
      live.emplace(name, std::move(*made));
    else
      log::warn("rate_limit_ignored",
                {{"policy", name}, {"error", made ? "too many" : made.error().message}});
  }
  stored_ = std::move(stored);
  // The same in other words, or something that is ignored, is no change.
  if (live == live_) return;
  live_ = std::move(live);
  limiter_.forget();
  rebuild();
}

}  // namespace skirmish::request_limits
