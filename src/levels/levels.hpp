// Levels: what is played. In SQL, cached in Redis as JSON.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "db/database.hpp"
#include "db/reachability.hpp"
#include "game_settings.hpp"
#include "levels/levels_keys.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "skirmish/cache.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::levels {

struct level {
  std::string level_id;
  std::string name;
  std::string difficulty = "Medium";
  std::string description;
  timestamp created_at;
  std::int64_t version = 1;  // counts changes; the ETag
};

struct level_change {
  std::optional<std::string> name, difficulty, description;
};

class service {
 public:
  service(db::database& db, const db::reachability& sql, redis::client& redis, cache::store& caches,
          const redis::key_space& keys, const clock& time);

  // already_exists when the id is taken.
  awaitable<result<level>> create(level l);
  // The level and where it came from (the X-Cache header): `stale` is from the cache while SQL
  // cannot be asked whether it still holds. Throws unavailable within a second when it is in no
  // cache and SQL does not answer.
  awaitable<result<std::pair<level, cache::source>>> get(std::string level_id);
  // `if_version` set: conflict unless the level still has that version.
  awaitable<result<level>> update(std::string level_id, level_change change,
                                  std::optional<std::int64_t> if_version);
  awaitable<result<void>> remove(std::string level_id);
  // Called with each level that is being removed, when it cannot be completed any more; again when
  // the removal is repeated.
  void on_removed(std::function<awaitable<void>(std::string level_id)> handler) {
    removed_ = std::move(handler);
  }

  // Levels with their completions, most completed first; those without any are not popular.
  awaitable<std::vector<std::pair<level, std::int64_t>>> popular(std::int64_t limit);
  // Puts those of `ids` that exist back among levels:popular (Redis was emptied, say), and returns
  // the ids that are no levels at all.
  awaitable<std::vector<std::string>> restore_popularity(std::vector<std::string> ids);
  // Caches the `count` most popular levels for popular_ttl, all at once, when `token` holds the
  // lease. Says on the channel `cache` which of them were not cached so before: a message for each.
  // Returns whether it did.
  awaitable<bool> refresh_popular(std::int64_t count, std::string token, const game_settings& game);
  // Does so for those of them alone that have become popular since then, without a lease. Returns
  // whether all of them are cached now: a level may be changed at the same time.
  awaitable<bool> cache_entrants(std::int64_t count, const game_settings& game);
  // Called when levels may have become popular: they were completed, or another one is gone.
  void on_popularity_change(std::function<void()> handler) {
    popularity_changed_ = std::move(handler);
  }
  void popularity_changed() {
    if (popularity_changed_) popularity_changed_();
  }

  // Levels in the order of their ids, from behind `after` on.
  awaitable<std::vector<level>> list(std::string after, std::int64_t limit);

 private:
  awaitable<std::optional<cache::content>> load_for_cache(std::string level_id);
  // The most popular levels, most completed first.
  awaitable<std::vector<std::string>> most_completed(std::int64_t count);
  struct refresh {
    std::vector<std::string> ids = {};
    std::int64_t count = 0;  // of popular levels
    std::string token = {};
    bool needs_lease = false;
    bool all_or_none = false;
  };
  awaitable<std::string> try_refresh(refresh what, const game_settings& game);
  awaitable<void> claim(std::vector<std::string> ids, std::string token);
  awaitable<std::vector<level>> select_all(std::vector<std::string> ids);

  db::database& db_;
  const db::reachability& sql_;
  redis::client& redis_;
  cache::named_cache levels_;
  const redis::key_space& keys_;
  const clock& clock_;
  std::function<void()> popularity_changed_;
  std::function<awaitable<void>(std::string)> removed_;
};

}  // namespace skirmish::levels
