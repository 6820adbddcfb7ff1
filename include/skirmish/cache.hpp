// A cache in Redis in front of a slow source, with a copy in memory in front of Redis.
//
//   cache::store store(io, redis, tasks, {.metrics = &metrics});  // per thread, before redis.run()
//   cache::named_cache profiles(store, "profiles", {.ttl = 60min, .as = stored_as::hash});
//
//   auto load = [&db, id] { return db.load(id); };
//   const auto found = co_await profiles.get_or_load("user:" + id, load);
//   if (!found.value) co_return not_found;        // the source has no such thing
//   use(found.fields(), to_string(found.from));  // "hit", "miss" or "stale"
//
// What is cached stays readable by anybody: the value alone is stored under its own name, as a
// string or as a hash, and its age is what Redis' own PTTL says. A value's life:
//
//   stored            fresh_for        + stale_while_revalidate                        ttl
//     |----- hit --------|-- stale; reloaded behind --|-- reloaded; stale if that fails --|  gone
//
// docs/cache.md tells how it works, what fails how, and which keys it owns.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace skirmish {

class task_group;
namespace redis {
class client;
}
namespace metrics {
class registry;
}

}  // namespace skirmish

namespace skirmish::cache {

// The fields of a hash; at least one. Redis may return them in another order.
using fields = std::vector<std::pair<std::string, std::string>>;
using content = std::variant<std::string, cache::fields>;
enum class stored_as { string, hash };  // in the order of cache::content

enum class source {
  hit,    // from memory or from Redis, and fresh
  miss,   // loaded for this answer, by this caller or by one it waited for
  stale,  // from Redis, past fresh_for: a reload goes on behind, or failed
};
std::string_view to_string(cache::source from) noexcept;

struct answer {
  std::shared_ptr<const cache::content> value;  // null: the source has no such thing
  cache::source from = cache::source::miss;

  // The content, which must be of that kind.
  [[nodiscard]] const std::string& text() const { return std::get<std::string>(*value); }
  [[nodiscard]] const cache::fields& fields() const { return std::get<cache::fields>(*value); }
  // A field of a hash; nothing when absent.
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
};

// Asks the source: its content, or nothing when there is no such thing. It throws when it could not
// find out. It runs on the caller's thread, perhaps after the caller has gone away (others may wait
// for it, or it may run behind): capture by value, or what lives as long as the store.
using loader = std::function<awaitable<std::optional<cache::content>>()>;

// A whole number in a hash that grows elsewhere in Redis, and that the source follows a moment
// later.
struct growing_field {
  std::string field;
  // Where it grows: the name of the hash (of the same field) beside the value called `name`.
  std::function<std::string(std::string_view name)> grows_in;
};

struct policy {
  std::chrono::milliseconds ttl{std::chrono::hours(1)};  // what `redis-cli PTTL` shows when stored
  std::chrono::milliseconds fresh_for{0};                // 0: as long as ttl, so never stale
  std::chrono::milliseconds stale_while_revalidate{0};
  std::chrono::milliseconds negative_ttl{5'000};  // how long an absence is remembered; 0: not
  std::chrono::milliseconds near_ttl{60'000};     // longest life in memory; 0: not kept in memory
  std::chrono::milliseconds load_timeout{
      10'000};                                   // a load is cancelled then; also the lease's life
  std::chrono::milliseconds wait_limit{10'000};  // for a load that another process makes
  // XFetch's beta (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede
  // Prevention, VLDB 2015): above 1 refreshes earlier, 0 never before the time.
  double early_refresh = 1.0;
  stored_as as = stored_as::string;
  // A value that is read gets its time to live again (from Redis, so once in near_ttl at most).
  bool sliding = false;
  // The greater of the two numbers is stored and answered, atomically: a load that read the source
  // before the number grew does not take it back.
  std::shared_ptr<const growing_field> growing = nullptr;
};

// The single flights of a process: stores that share them make one load of a key, on one thread.
class flights;
std::shared_ptr<cache::flights> make_flights();

// What happened to one value, as the log tells it at debug level (docs/cache.md#debugging).
struct step {
  enum class kind {
    found_in_memory,
    found_in_redis,
    found_stale,  // in Redis, past fresh_for
    loading,      // it is in no cache: the source is asked
    loaded,
    stored,
    absence_stored,  // the source has no such thing
  };
  kind what;
  std::string_view key;              // with the world's tag; valid during the call
  std::chrono::nanoseconds took{0};  // this step; 0 for loading
  std::chrono::milliseconds ttl{0};  // of what was stored
};

// For tests and demonstrations. Called on the store's thread: stores of several threads may call
// them at the same time.
struct hooks {
  std::function<void(const cache::step&)> on_step = nullptr;
  // Gives the loader that is used instead, such as a slower one.
  std::function<cache::loader(cache::loader)> around_load = nullptr;
};

struct store_options {
  redis::key_space space = {};  // in front of every key; names given to the functions lack it
  std::shared_ptr<cache::flights> flights = nullptr;  // null: this store's own
  std::size_t near_limit_entries = 100'000;           // kept in memory, the least recently used go
  std::size_t near_limit_bytes = 64 << 20;
  metrics::registry* metrics = nullptr;  // null: nothing is counted
  const clock* time = nullptr;           // null: the system's
  cache::hooks hooks = {};
};

// What all caches of one thread share: the connection, the memory, the loads under way. Belongs to
// the thread of `io`. It takes over the events of `redis`, so make it before redis.run(); `tasks`
// must have ended before it is destroyed.
class store {
 public:
  store(asio::io_context& io, redis::client& redis, task_group& tasks, store_options options = {});
  ~store();
  store(const store&) = delete;
  store& operator=(const store&) = delete;

  // Plain keys, without memory or loads. They throw `failure` when Redis does not answer.
  awaitable<void> set_key(std::string name, std::string value,
                          std::optional<std::chrono::milliseconds> expiry = std::nullopt);
  awaitable<std::optional<std::string>> get_key(std::string name);
  awaitable<std::string> get_key(std::string name, std::string fallback);
  awaitable<bool> delete_key(std::string name);  // true when there was one

  // Removes the value everywhere and makes the loads under way discard theirs: call it after the
  // source was written. When it returns, no store of the same flights has it in memory; memory of
  // other processes follows as soon as Redis' push arrives, normally within a millisecond. When
  // Redis is away, it is done on reconnecting.
  awaitable<void> invalidate(std::string name);
  // The same for all names that begin so; returns how many values there were. It walks the whole
  // key space in steps (SCAN), so it is for operators, not for requests. Throws `failure`.
  awaitable<std::size_t> invalidate_prefix(std::string prefix);
  // Gives the value its time to live again; false when there is none. Memory copies go.
  awaitable<bool> touch(std::string name, std::chrono::milliseconds ttl);

  [[nodiscard]] std::size_t near_size() const noexcept;

 private:
  friend class named_cache;
  struct impl;
  std::unique_ptr<impl> impl_;
};

// A named cache with its policy and metrics. Cheap; must not outlive its store.
class named_cache {
 public:
  named_cache(cache::store& store, std::string name, cache::policy policy = {});
  ~named_cache();

  // The value of `name`, asking the source at most once for all who ask at the same time. Throws
  // what the loader threw, or `failure` unavailable when it did not end within load_timeout, or
  // that of another process not within wait_limit. Without Redis it asks the source, once for all
  // who wait.
  awaitable<cache::answer> get_or_load(std::string name, cache::loader load);
  awaitable<cache::answer> get_or_load(std::string name, cache::loader load, cache::policy policy);
  // The copy in memory, at once; nothing when there is no fresh one.
  std::optional<cache::answer> peek(std::string_view name);

  // Cache-aside by hand. get_cache gives nothing when nothing is stored.
  awaitable<std::optional<cache::answer>> get_cache(std::string name);
  awaitable<void> set_cache(std::string name, cache::content content,
                            std::optional<std::chrono::milliseconds> ttl = std::nullopt);
  awaitable<void> invalidate_cache(std::string name);

  [[nodiscard]] const cache::policy& policy() const noexcept { return policy_; }
  struct counters;  // src/cache/counters.hpp

 private:
  cache::store::impl& store_;
  cache::policy policy_;
  std::shared_ptr<counters> counters_;
};

}  // namespace skirmish::cache
