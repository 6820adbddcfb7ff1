// Reading, storing and removing: the steps that talk to Redis without asking the source.
#include "cache/cache_keys.hpp"
#include "cache/store_impl.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"

#include <boost/redis/request.hpp>
#include <fmt/format.h>

#include <utility>

namespace skirmish::cache {
namespace {

using namespace std::chrono_literals;

const redis::script fill_script{
    "cache_fill",
#include "cache/fill.lua.inc"
};

// Far enough to be never, near enough to be added to a time.
constexpr std::chrono::milliseconds forever = std::chrono::hours(24 * 365);
// Names whose invalidation Redis did not answer; beyond this the oldest are left to their TTL.
constexpr std::size_t owed_limit = 10'000;
constexpr std::string_view scan_count = "1000";

// What is stored, as the script takes it. The views live as long as `content`.
void add_content(const cache::content& content, std::vector<std::string_view>& args) {
  if (const auto* text = std::get_if<std::string>(&content)) {
    args[1] = "string";
    args.push_back(*text);
    return;
  }
  args[1] = "hash";
  for (const auto& [name, value] : std::get<cache::fields>(content)) {
    args.push_back(name);
    args.push_back(value);
  }
}

void set_field(cache::content& content, std::string_view field, std::string value) {
  for (auto& [name, old] : std::get<cache::fields>(content)) {
    if (name != field) continue;
    old = std::move(value);
    return;
  }
  std::get<cache::fields>(content).emplace_back(field, std::move(value));
}

std::chrono::milliseconds slide_below(const cache::policy& policy) {
  const auto once_in = std::max<std::chrono::milliseconds>(policy.near_ttl, policy.ttl / 60);
  return policy.ttl - std::min(once_in, policy.ttl / 2);
}

// What MATCH takes literally.
std::string escape_glob(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("*?[]\\^").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string_view to_string(cache::source from) noexcept {
  switch (from) {
    case cache::source::hit: return "hit";
    case cache::source::miss: return "miss";
    case cache::source::stale: return "stale";
  }
  return "miss";
}

std::optional<std::string_view> cache::answer::field(std::string_view name) const {
  for (const auto& [key, value] : fields())
    if (key == name) return value;
  return std::nullopt;
}

std::chrono::milliseconds stale_part(const cache::policy& policy) noexcept {
  return policy.fresh_for.count() == 0 ? 0ms : policy.ttl - policy.fresh_for;
}

cache::store::impl::impl(asio::io_context& context, redis::client& client, task_group& group,
                         store_options chosen)
    : io(context),
      redis(client),
      tasks(group),
      options(std::move(chosen)),
      own_metrics(options.metrics ? nullptr : std::make_unique<metrics::registry>()),
      metrics(options.metrics ? *options.metrics : *own_metrics),
      time(options.time ? *options.time : own_clock),
      near(std::make_shared<near_cache>(options.near_limit_entries, options.near_limit_bytes)) {
  if (!options.flights) options.flights = make_flights();
  options.flights->near_caches.add(io.get_executor(), near);
  redis.set_events({.on_connected = [this] { on_connected(); },
                    .on_lost = [this] { on_lost(); },
                    .on_push = [this](const redis::value& push) { on_push(push); }});
}

cache::store::impl::~impl() {
  redis.set_events({});
  options.flights->near_caches.remove(near);
}

void cache::store::impl::tell(cache::step::kind what, std::string_view key,
                              std::chrono::steady_clock::time_point since,
                              std::chrono::milliseconds ttl) const {
  const bool is_logged = log::is_on(log::level::debug);
  if (!is_logged && !options.hooks.on_step) return;
  cache::step step{what, key, {}, ttl};
  if (what != cache::step::kind::loading) step.took = std::chrono::steady_clock::now() - since;
  if (options.hooks.on_step) options.hooks.on_step(step);
  if (!is_logged) return;
  const auto took =
      fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(step.took).count());
  using enum cache::step::kind;
  switch (what) {
    case found_in_memory:
    case found_in_redis:
    case found_stale: {
      const auto* in = what == found_in_memory ? "memory" : "redis";
      log::debug(
          "cache_value_found",
          {{"key", key}, {"in", in}, {"is_stale", what == found_stale}, {"duration_ms", took}});
      return;
    }
    case loading: return log::debug("cache_load_started", {{"key", key}});
    case loaded: return log::debug("cache_value_loaded", {{"key", key}, {"duration_ms", took}});
    case stored:
    case absence_stored:
      log::debug(what == stored ? "cache_value_stored" : "cache_absence_stored",
                 {{"key", key}, {"ttl", to_text(ttl)}, {"duration_ms", took}});
  }
}

// Another server may not have received the last invalidations from the one before it.
void cache::store::impl::on_connected() {
  const auto& process = redis.server_process();
  if (process.empty() || process != server_process) owed.merge(recent.around(lost_at));
  server_process = process;
  if (!owed.empty()) tasks.spawn("cache_owed", [this] { return settle_owed(); });
}

void cache::store::impl::on_lost() {
  lost_at = std::chrono::steady_clock::now();
  tracking = tracking_refused = false;
  near->clear();
}

void cache::store::impl::on_push(const redis::value& push) {
  if (push.size() < 2 || push[0].as_string() != "invalidate") return;
  if (push[1].is_nil()) return near->clear();  // FLUSHALL, FLUSHDB
  for (const auto& key : push[1].elements()) near->invalidate(key.as_string());
}

std::optional<cache::answer> cache::store::impl::peek(std::string_view key,
                                                      named_cache::counters& counters,
                                                      timestamp* fresh_until) {
  const auto* entry = near->find(key, time.now());
  if (!entry) return std::nullopt;
  counters.hits.add();
  counters.near_hits.add();
  if (fresh_until) *fresh_until = entry->fresh_until;
  return cache::answer{entry->value, cache::source::hit};
}

// OPTIN tracking: Redis remembers only the keys that are read for the near cache, and says once
// when one changes. That the same pipeline's CACHING was accepted proves that this very connection
// tracks.
awaitable<cache::store::impl::stored> cache::store::impl::read(const question& q) {
  if (!owed.empty()) co_await settle_owed();
  const bool for_near = q.policy.near_ttl.count() > 0 && !tracking_refused;
  near_cache::reading reading(*near, q.key);
  redis::request commands;
  std::size_t before_value = 0;
  if (for_near && !tracking) {
    commands.push("CLIENT", "TRACKING", "ON", "OPTIN");
    ++before_value;
  }
  if (for_near) {
    commands.push("CLIENT", "CACHING", "YES");
    ++before_value;
  }
  commands.push(q.policy.as == stored_as::hash ? "HGETALL" : "GET", q.key);
  commands.push("PTTL", q.key);
  auto replies = co_await redis.exec(std::move(commands));
  const bool tracked = for_near && !replies.at(before_value - 1).is_error();
  if (for_near) tracking = tracked, tracking_refused = !tracked;

  stored out;
  auto& value = replies.at(before_value);
  const auto ttl = replies.at(before_value + 1).as_integer().value_or(-2);
  out.wrong_type = value.is_error() && value.as_string().starts_with("WRONGTYPE");
  if (!out.wrong_type) value = redis::checked(std::move(value));
  if (value.is_nil() || out.wrong_type || ttl == -2) co_return out;
  if (q.policy.as == stored_as::hash) {
    auto fields = value.as_pairs();
    if (fields.empty()) co_return out;
    out.value = std::make_shared<const cache::content>(std::move(fields));
  } else {
    out.value = std::make_shared<const cache::content>(std::move(value).as_string());
  }
  out.fresh_left = ttl < 0 ? forever : std::chrono::milliseconds(ttl) - stale_part(q.policy);
  if (tracked && out.fresh()) {
    const auto now = time.now();
    reading.keep(
        {out.value, now + std::min(q.policy.near_ttl, out.fresh_left), now + out.fresh_left});
  }
  // Redis tells of a changed TTL as of a changed value, so copies in memory go: not at each read.
  if (q.policy.sliding && ttl >= 0 && std::chrono::milliseconds(ttl) < slide_below(q.policy))
    redis::checked(co_await redis.command("PEXPIRE", q.key, q.policy.ttl.count()));
  co_return out;
}

awaitable<bool> cache::store::impl::fill(const question& q, const std::string& token,
                                         cache::content* content) {
  const auto ttl = std::to_string(
      content ? q.policy.ttl.count() : std::max<std::int64_t>(0, q.policy.negative_ttl.count()));
  const auto load_key = cache_keys::load(options.space, q.name);
  const auto* growing = q.policy.growing.get();
  const auto grows_in = growing ? options.space.key(growing->grows_in(q.name)) : std::string();
  std::vector<std::string_view> keys{q.key, load_key};
  std::vector<std::string_view> args{token, "none", ttl, ""};
  if (growing) {
    keys.push_back(grows_in);
    args[3] = growing->field;
  }
  if (content) add_content(*content, args);
  if (content && args.size() == 4)
    throw failure(errc::internal, "cache: a hash without fields for " + q.key);
  const auto begin = std::chrono::steady_clock::now();
  const auto reply = redis::checked(co_await redis.eval(fill_script, keys, args));
  if (!reply[0].as_bool()) co_return false;
  if (content)
    tell(cache::step::kind::stored, q.key, begin, q.policy.ttl);
  else if (q.policy.negative_ttl.count() > 0)
    tell(cache::step::kind::absence_stored, q.key, begin, q.policy.negative_ttl);
  if (reply.size() == 2) set_field(*content, growing->field, reply[1].as_string());
  co_return true;
}

awaitable<void> cache::store::impl::put(std::string name, cache::content content,
                                        cache::policy policy) {
  question q;
  q.key = options.space.key(name);
  q.name = std::move(name);
  q.policy = std::move(policy);
  near->invalidate(q.key);
  const std::string no_token;
  co_await fill(q, no_token, &content);
  options.flights->forget(q.key);
  co_await options.flights->near_caches.invalidate(q.key);
}

awaitable<void> cache::store::impl::invalidate(std::string name) {
  const auto key = options.space.key(name);
  near->invalidate(key);
  std::string problem;
  try {
    redis::checked(co_await redis.command("DEL", key, cache_keys::load(options.space, name)));
  } catch (const failure& e) {
    problem = e.what();
  }
  const auto now = std::chrono::steady_clock::now();
  if (redis.connected()) recent.forget(now - recent_invalidations::kept);
  recent.note(name, now);
  options.flights->forget(key);
  co_await options.flights->near_caches.invalidate(key);
  if (problem.empty()) co_return;
  if (owed.size() >= owed_limit) owed.erase(owed.begin());
  owed.insert(std::move(name));
  log::warn("cache_invalidation_owed", {{"key", key}, {"error", problem}});
}

awaitable<void> cache::store::impl::settle_owed() {
  while (!owed.empty()) {
    const auto name = *owed.begin();
    const auto key = options.space.key(name);
    redis::checked(co_await redis.command("DEL", key, cache_keys::load(options.space, name)));
    near->invalidate(key);
    owed.erase(name);
  }
}

awaitable<std::size_t> cache::store::impl::unlink_matching(std::string pattern) {
  std::size_t removed = 0;
  std::string cursor = "0";
  do {
    const auto page = redis::checked(
        co_await redis.command("SCAN", cursor, "MATCH", pattern, "COUNT", scan_count));
    cursor = page[0].as_string();
    if (page[1].size() == 0) continue;
    redis::request unlink;
    const auto keys = page[1].as_strings();
    unlink.push_range("UNLINK", keys);
    const auto replies = redis::checked(co_await redis.exec(std::move(unlink)));
    removed += static_cast<std::size_t>(replies.at(0).as_integer().value_or(0));
  } while (cursor != "0");
  co_return removed;
}

store::store(asio::io_context& io, redis::client& redis, task_group& tasks, store_options options)
    : impl_(std::make_unique<impl>(io, redis, tasks, std::move(options))) {}

store::~store() = default;

awaitable<void> cache::store::set_key(std::string name, std::string value,
                                      std::optional<std::chrono::milliseconds> expiry) {
  const auto key = impl_->options.space.key(name);
  if (expiry)
    redis::checked(co_await impl_->redis.command("SET", key, value, "PX", expiry->count()));
  else
    redis::checked(co_await impl_->redis.command("SET", key, value));
}

awaitable<std::optional<std::string>> cache::store::get_key(std::string name) {
  auto reply = redis::checked(co_await impl_->redis.command("GET", impl_->options.space.key(name)));
  if (reply.is_nil()) co_return std::nullopt;
  co_return std::move(reply).as_string();
}

awaitable<std::string> cache::store::get_key(std::string name, std::string fallback) {
  auto found = co_await get_key(std::move(name));
  co_return found ? std::move(*found) : std::move(fallback);
}

awaitable<bool> cache::store::delete_key(std::string name) {
  const auto key = impl_->options.space.key(name);
  co_return redis::checked(co_await impl_->redis.command("DEL", key)).as_bool();
}

awaitable<void> cache::store::invalidate(std::string name) {
  return impl_->invalidate(std::move(name));
}

// Loads under way first: one that ends between the two steps finds its claim gone.
awaitable<std::size_t> cache::store::invalidate_prefix(std::string prefix) {
  const auto& space = impl_->options.space;
  const auto loads = escape_glob(cache_keys::load(space, prefix)) + "*";
  const auto values = escape_glob(space.key(prefix)) + "*";
  co_await impl_->unlink_matching(loads);
  const auto removed = co_await impl_->unlink_matching(values);
  impl_->options.flights->forget_prefix(space.key(prefix));
  co_await impl_->options.flights->near_caches.clear();
  co_return removed;
}

awaitable<bool> cache::store::touch(std::string name, std::chrono::milliseconds ttl) {
  const auto key = impl_->options.space.key(name);
  co_return redis::checked(co_await impl_->redis.command("PEXPIRE", key, ttl.count())).as_bool();
}

std::size_t cache::store::near_size() const noexcept { return impl_->near->size(); }

}  // namespace skirmish::cache
