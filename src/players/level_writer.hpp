// Carries players' levels from their live state, where completions raise them, to SQL.
//
// A commit raises `level` in player:<player_id> and puts the player into players:levelled,
// atomically. This writes the level itself, not an increment, and only upwards: repeated,
// interrupted or run by several servers at once, it neither loses a level nor counts one twice. SQL
// is behind by about `period`, or until it can be reached again.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "db/database.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace skirmish::players {

class level_writer {
 public:
  static constexpr std::chrono::milliseconds period{500};
  static constexpr int batch_players = 500;

  level_writer(db::database& db, redis::client& redis, const redis::key_space& keys,
               const clock& time)
      : db_(db), redis_(redis), keys_(keys), clock_(time) {}

  // Until cancelled; give it to a task_group.
  awaitable<void> run();
  // Writes what is waiting, at most `batch_players`, and returns how many. Throws failure.
  awaitable<std::size_t> write_some();

 private:
  db::database& db_;
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
};

}  // namespace skirmish::players
