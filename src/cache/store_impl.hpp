// What a cache_store is made of.
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

namespace skirmish {

// One question to a cache, as it goes through the steps. Copied into the task that answers it.
struct cache_question {
  std::string name;  // without the world's tag
  std::string key;   // with it
  cache_loader load;
  cache_policy policy;
  std::shared_ptr<cache::counters> counters;
};

struct cache_store::impl {
  // What Redis holds.
  struct stored {
    std::shared_ptr<const cache_content> value;  // null: none
    bool wrong_type = false;                     // something else stands under that name
    std::chrono::milliseconds fresh_left{0};     // negative: stale since
    [[nodiscard]] bool fresh() const { return value && fresh_left.count() > 0; }
  };
  enum class claim { claimed, busy, none, failed, present };

  impl(asio::io_context& context, redis::client& client, task_group& group,
       cache_store_options chosen);
  ~impl();

  // Step by step (store_redis.cpp): what is there.
  std::optional<cache_answer> peek(std::string_view key, cache::counters& counters,
                                   timestamp* fresh_until = nullptr);
  awaitable<stored> read(const cache_question& q);
  awaitable<void> invalidate(std::string name);
  awaitable<void> settle_owed();
  awaitable<std::size_t> unlink_matching(std::string pattern);
  awaitable<void> put(std::string name, cache_content content, cache_policy policy);

  // (store_answer.cpp) What to do about it.
  awaitable<cache_answer> answer(cache_question q);
  awaitable<cache_answer> answer_without_redis(const cache_question& q);
  awaitable<std::optional<cache_answer>> try_load(const cache_question& q, const stored& old);
  awaitable<std::shared_ptr<cache_content>> load(const cache_question& q);
  awaitable<claim> take_claim(const cache_question& q, const std::string& token,
                              bool despite_value);
  // Brings a field that has grown up to date in `content`.
  awaitable<bool> fill(const cache_question& q, const std::string& token, cache_content* content);
  awaitable<void> give_up(const cache_question& q, const std::string& token);
  void start(const cache_question& q, const std::string& flight_key,
             std::shared_ptr<cache_flight> flight,
             std::function<awaitable<cache_answer>(cache_question)> work);
  void refresh_behind(const cache_question& q);
  // XFetch: whether to refresh already now, by chance.
  static bool is_due_early(const cache_question& q, std::chrono::milliseconds fresh_left);

  void on_push(const redis::value& push);
  void on_connected();
  void on_lost();

  asio::io_context& io;
  redis::client& redis;
  task_group& tasks;
  cache_store_options options;
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
std::chrono::milliseconds stale_part(const cache_policy& policy) noexcept;

}  // namespace skirmish
