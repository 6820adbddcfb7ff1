// Levels as one feature of a server thread.
#pragma once

#include "core/task_group.hpp"
#include "levels/levels.hpp"
#include "levels/levels_routes.hpp"
#include "levels/popular_refresher.hpp"

#include <utility>

namespace skirmish::levels {

class feature {
 public:
  // `refresh`: how often the popular levels are cached anew.
  feature(db::database& db, const db::reachability& sql, redis::client& redis, cache::store& caches,
          const redis::key_space& keys, const clock& time, std::chrono::milliseconds refresh,
          game_settings game)
      : levels_(db, sql, redis, caches, keys, time),
        popular_refresher_(redis, keys, levels_, refresh, std::move(game)) {
    levels_.on_popularity_change([this] { popular_refresher_.wake(); });
  }

  void add_to(http::router& routes) { add_routes(routes, levels_); }

  // On every thread: whoever commits a completion looks whether a level has become popular.
  void start(task_group& group) {
    group.keep_running("popular_entrants", [this] { return popular_refresher_.run_entrants(); });
  }
  // One thread is enough: a lease lets one of all servers refresh at a time.
  void start_on_first(task_group& group) {
    group.keep_running("popular_refresher", [this] { return popular_refresher_.run(); });
  }

  [[nodiscard]] service& levels() noexcept { return levels_; }

 private:
  service levels_;
  popular_refresher popular_refresher_;
};

}  // namespace skirmish::levels
