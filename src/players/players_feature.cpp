#include "players/players_feature.hpp"

#include "players/old_keys.hpp"

namespace skirmish::players {

feature::feature(asio::io_context& io, db::database& db, const db::reachability& sql,
                 redis::client& redis, cache::store& caches, const redis::key_space& keys,
                 const clock& time, password_hash hash, action_parser parse,
                 std::int64_t actions_limit)
    : io_(io),
      redis_(redis),
      keys_(keys),
      hash_(std::move(hash)),
      parse_(parse),
      players_(db, sql, redis, caches, keys, time),
      search_(db, redis, keys, time),
      notes_(db, time),
      level_writer_(db, redis, keys, time) {
  players_.set_actions_limit(actions_limit);
}

void feature::add_to(http::router& routes) {
  add_routes(routes, players_, search_, hash_, parse_,
             [this](std::string id) { return removing(std::move(id)); });
  notes_.add_to(routes);
}

void feature::start_on_first(task_group& group) {
  group.spawn("old_keys", [this] { return move_old_keys(io_, redis_, keys_); });
  group.keep_running("level_writer", [this] { return level_writer_.run(); });
}

awaitable<void> feature::removing(std::string player_id) {
  if (removing_) co_await removing_(std::move(player_id));
}

awaitable<void> feature::ensure(std::string player_id, std::string name) {
  profile fresh;
  fresh.player_id = std::move(player_id);
  fresh.name = std::move(name);
  const auto made = co_await players_.create(std::move(fresh));
  if (!made && made.error().code != errc::already_exists)
    throw failure(made.error().code, made.error().message);
}

}  // namespace skirmish::players
