// Temporary state and recovery data as one feature of a server thread.
#pragma once

#include "http/router.hpp"
#include "players/players.hpp"
#include "state/recovery.hpp"
#include "state/state.hpp"

namespace skirmish::state {

class feature {
 public:
  feature(redis::client& redis, const redis::key_space& keys, players::service& players, settings s,
          recovery_settings r)
      : players_(players), entries_(redis, keys, s), snapshots_(redis, keys, r) {}

  void add_to(http::router& routes);

  // Ends what a player that is being removed has stored.
  awaitable<void> forget_player(std::string player_id);

 private:
  players::service& players_;
  service entries_;
  recovery snapshots_;
};

}  // namespace skirmish::state
