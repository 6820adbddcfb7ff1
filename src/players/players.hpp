// Players: the profile (SQL, cached in Redis) and the live state (Redis).
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "db/database.hpp"
#include "db/reachability.hpp"
#include "players/players_keys.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "skirmish/cache.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::players {

struct profile {
  std::string player_id;
  std::string name;
  std::string email;  // may be empty
  std::int64_t level = 1;
  timestamp created_at;
  std::int64_t version = 1;  // counts changes; the ETag
};

struct profile_change {
  std::optional<std::string> name;
  std::optional<std::string> email;
};

struct position {
  double lat = 0;
  double lon = 0;
  double alt = 0;
  std::string ts;
};

struct live_state {
  std::int64_t hp = 0;
  std::int64_t mp = 0;
  std::int64_t stamina = 0;
  std::string interaction;  // "", "attack", "move", …: what the player did last
  std::int64_t damage_dealt = 0;
  std::string target;
  std::string updated_at;
  std::optional<position> where;          // while move:<player_id> lives
  std::vector<std::string> last_actions;  // a line each (interactions/event_text.hpp), newest first
};

struct state_change {
  std::optional<std::int64_t> hp, mp, stamina;
};

// What a stat may be.
inline constexpr std::int64_t stat_max = 1'000'000'000;
inline constexpr std::int64_t stat_at_birth = 100;

class service {
 public:
  service(db::database& db, const db::reachability& sql, redis::client& redis, cache::store& caches,
          const redis::key_space& keys, const clock& time);

  // already_exists when the id is taken. `password_hash` is empty when the player has no password.
  awaitable<result<profile>> create(profile p, std::string password_hash = {});
  // How many of the last actions state() shows; 20 unless told.
  void set_actions_limit(std::int64_t limit) { actions_limit_ = limit; }

  // The profile and where it came from (the X-Cache header): `stale` is from the cache while SQL
  // cannot be asked whether it still holds. Throws unavailable within a second when it is in no
  // cache and SQL does not answer.
  awaitable<result<std::pair<profile, cache::source>>> get(std::string player_id);
  // `if_version` set: conflict unless the profile still has that version.
  awaitable<result<profile>> update(std::string player_id, profile_change change,
                                    std::optional<std::int64_t> if_version);
  // Called with each player that has just been removed from SQL, before what is left of it goes;
  // again when the removal is repeated.
  void on_removed(std::function<awaitable<void>(std::string player_id)> handler) {
    removed_ = std::move(handler);
  }
  // Called behind that, when no event can name the player any more.
  void on_forgotten(std::function<awaitable<void>(std::string player_id)> handler) {
    forgotten_ = std::move(handler);
  }
  // Removes profile, devices and all that is the player's own in Redis: live state, inventory,
  // achievements, notifications, its conversations (`dm:`). Records of the past (attacks, what it
  // said to others, closed seasons) and bans from channels stay. docs/api.md#deleting has the
  // order.
  awaitable<result<void>> remove(std::string player_id);

  awaitable<result<live_state>> state(std::string player_id);
  awaitable<result<live_state>> update_state(std::string player_id, state_change change);
  awaitable<result<position>> live_position(std::string player_id);

  // Makes live state for those of `ids` that have a profile but no live state (Redis was emptied,
  // say), and returns the ids that are no players at all.
  awaitable<std::vector<std::string>> restore_live(std::vector<std::string> ids);

 private:
  awaitable<std::optional<profile>> load(std::string player_id);
  awaitable<std::optional<cache::content>> load_for_cache(std::string player_id);
  awaitable<void> create_live(const std::vector<profile>& players);

  awaitable<void> remove_live(const std::string& player_id);

  std::function<awaitable<void>(std::string)> removed_;
  std::function<awaitable<void>(std::string)> forgotten_;
  std::int64_t actions_limit_ = 20;
  db::database& db_;
  const db::reachability& sql_;
  redis::client& redis_;
  cache::named_cache profiles_;
  const redis::key_space& keys_;
  const clock& clock_;
};

// Runs `ask`, and once more when the player was missing only because Redis had been emptied.
template <class Ask>
auto known(service& players, std::string player_id, Ask ask) -> decltype(ask()) {
  auto answer = co_await ask();
  if (answer || answer.error().code != errc::not_found) co_return answer;
  std::vector<std::string> ids{player_id};
  const auto missing = co_await players.restore_live(std::move(ids));
  if (!missing.empty()) co_return answer;
  co_return co_await ask();
}

}  // namespace skirmish::players
