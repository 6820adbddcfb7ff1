// Achievements as one feature of a server thread.
#pragma once

#include "achievements/achievements.hpp"
#include "achievements/achievements_routes.hpp"

#include <utility>

namespace skirmish::achievements {

class feature {
 public:
  feature(redis::client& redis, const redis::key_space& keys, const clock& time,
          players::service& players, interactions::game_settings game)
      : players_(players), achievements_(redis, keys, time, std::move(game)) {}

  void add_to(http::router& routes) { add_routes(routes, achievements_, players_); }

 private:
  players::service& players_;
  service achievements_;
};

}  // namespace skirmish::achievements
