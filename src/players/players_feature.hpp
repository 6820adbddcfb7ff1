// Players as one feature of a server thread: profiles, live state, and what carries levels to SQL.
#pragma once

#include "core/task_group.hpp"
#include "http/router.hpp"
#include "players/level_writer.hpp"
#include "players/notes.hpp"
#include "players/players.hpp"
#include "players/players_routes.hpp"
#include "players/search.hpp"

#include <cstdint>
#include <string>

namespace skirmish::players {

class feature {
 public:
  // `actions_limit`: last actions that a state shows.
  feature(asio::io_context& io, db::database& db, const db::reachability& sql, redis::client& redis,
          cache::store& caches, const redis::key_space& keys, const clock& time, password_hash hash,
          action_parser parse, std::int64_t actions_limit);

  void add_to(http::router& routes);
  // One thread is enough: both loops send commands in batches and wait for Redis and SQL. They may
  // run on several servers.
  void start_on_first(task_group& group);

  // Called with each player that is about to be removed.
  void on_removing(player_hook handler) { removing_ = std::move(handler); }
  // Makes a player unless there is one. Throws failure.
  awaitable<void> ensure(std::string player_id, std::string name);

  [[nodiscard]] service& players() noexcept { return players_; }

 private:
  awaitable<void> removing(std::string player_id);

  asio::io_context& io_;
  redis::client& redis_;
  const redis::key_space& keys_;
  password_hash hash_;
  action_parser parse_;
  player_hook removing_;
  service players_;
  searcher search_;
  note_book notes_;
  level_writer level_writer_;
};

}  // namespace skirmish::players
