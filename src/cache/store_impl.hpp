// What a cache::store is made of.
#pragma once

#include "cache/counters.hpp"
#include "cache/flights.hpp"
#include "cache/near_cache.hpp"
#include "cache/recent_invalidations.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "skirmish/cache.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace skirmish::cache {

// One question to a cache, as it goes through the steps. Copied into the task that answers it.
struct question {
  std::string name;  // without the world's tag
  std::string key;   // with it
  cache::loader load;
  cache::policy policy;
  std::shared_ptr<named_cache::counters> counters;
};

struct store::impl {
  // What Redis holds.
  struct stored {
    std::shared_ptr<const cache::content> value;  // null: none
    bool wrong_type = false;                      // something else stands under that name
    std::chrono::milliseconds fresh_left{0};      // negative: stale since
    [[nodiscard]] bool fresh() const { return value && fresh_left.count() > 0; }
  };
  enum class claim { claimed, busy, none, failed, present };

  impl(asio::io_context& context, redis::client& client, task_group& group, store_options chosen);
  ~impl();

  // Step by step (store_redis.cpp): what is there.
  std::optional<cache::answer> peek(std::string_view key, named_cache::counters& counters,
                                    timestamp* fresh_until = nullptr);
  awaitable<stored> read(const question& q);
  awaitable<void> invalidate(std::string name);
  awaitable<void> settle_owed();
  awaitable<std::size_t> unlink_matching(std::string pattern);
  awaitable<void> put(std::string name, cache::content content, cache::policy policy);

  // (store_answer.cpp) What to do about it.
  awaitable<cache::answer> answer(question q);
  awaitable<cache::answer> answer_without_redis(const question& q);
  awaitable<std::optional<cache::answer>> try_load(const question& q, const stored& old);
  awaitable<std::shared_ptr<cache::content>> load(const question& q);
  awaitable<claim> take_claim(const question& q, const std::string& token, bool despite_value);
  // Brings a field that has grown up to date in `content`.
  awaitable<bool> fill(const question& q, const std::string& token, cache::content* content);
  awaitable<void> give_up(const question& q, const std::string& token);
  void start(const question& q, const std::string& flight_key,
             std::shared_ptr<cache::flight> flight,
             std::function<awaitable<cache::answer>(question)> work);
  void refresh_behind(const question& q);
  // XFetch: whether to refresh already now, by chance.
  static bool is_due_early(const question& q, std::chrono::milliseconds fresh_left);

  // Tells the log and the hook of a step; cheap when nobody wants to know.
  void tell(cache::step::kind what, std::string_view key,
            std::chrono::steady_clock::time_point since, std::chrono::milliseconds ttl = {}) const;

  void on_push(const redis::value& push);
  void on_connected();
  void on_lost();

  asio::io_context& io;
  redis::client& redis;
  task_group& tasks;
  store_options options;
  std::unique_ptr<metrics::registry> own_metrics;  // when none were given
  metrics::registry& metrics;
  system_clock own_clock;
  const clock& time;
  std::shared_ptr<near_cache> near;
  bool tracking = false;          // CLIENT TRACKING was accepted on this connection
  bool tracking_refused = false;  // …or not, and need not be tried again
  std::set<std::string> owed;     // names to invalidate as soon as Redis answers
  recent_invalidations recent;
  std::string server_process;  // of the last connection
  std::chrono::steady_clock::time_point lost_at;
};

// How long a value stays in Redis past its freshness. (ttl - fresh_for)
std::chrono::milliseconds stale_part(const cache::policy& policy) noexcept;

}  // namespace skirmish::cache
