// What proves that somebody is a player: passwords and device secrets, in SQL.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "db/database.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::sessions {

struct account {
  std::string player_id;
  std::string password_hash;  // empty: no password was set
  std::int64_t epoch = 0;     // what a session opened now belongs to
};

struct device {
  std::string device_id;
  std::string player_id;
  std::string name;  // what its owner calls it; may be empty
  timestamp created_at;
};

struct new_device {
  device row;
  std::string secret;  // `ds_<64 hex digits>`, shown once and not stored
};

class credentials {
 public:
  // Devices that a player may have registered.
  static constexpr int devices_limit = 16;

  credentials(db::database& db, const clock& time) : db_(db), clock_(time) {}

  awaitable<std::optional<account>> find(std::string player_id);
  // Nullopt also when several players share the address: then a login names the player.
  awaitable<std::optional<account>> find_by_email(std::string email);

  // Also raises the player's epoch, so that no session opened before is valid any more. not_found
  // when there is no such player.
  awaitable<result<void>> set_password(std::string player_id, std::string hash);
  // Stores the same password's newer hash, unless it was changed meanwhile.
  awaitable<void> replace_hash(std::string player_id, std::string old_hash, std::string hash);

  // not_found when there is no such player; conflict when it has devices_limit of them.
  awaitable<result<new_device>> add_device(std::string player_id, std::string name);
  awaitable<std::vector<device>> devices(std::string player_id);
  awaitable<result<void>> remove_device(std::string player_id, std::string device_id);
  // The account of the device, when the secret is its own.
  awaitable<std::optional<account>> find_by_device(std::string device_id, std::string secret);

 private:
  db::database& db_;
  const clock& clock_;
};

}  // namespace skirmish::sessions
