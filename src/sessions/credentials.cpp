#include "sessions/credentials.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "db/soci.hpp"
#include "sessions/secret.hpp"

#include <fmt/format.h>

namespace skirmish::sessions {
namespace {

constexpr std::string_view secret_prefix = "ds_";

const error unknown_player{errc::not_found, "there is no such player"};

std::optional<account> select_account(soci::session& sql, const std::string& player_id) {
  account out;
  out.player_id = player_id;
  std::string hash;
  soci::indicator has_hash = soci::i_null;
  long long epoch = 0;
  sql << "SELECT password_hash, sessions_epoch FROM players WHERE player_id = :id",
      soci::use(player_id), soci::into(hash, has_hash), soci::into(epoch);
  if (!sql.got_data()) return std::nullopt;
  if (has_hash == soci::i_ok) out.password_hash = hash;
  out.epoch = epoch;
  return out;
}

}  // namespace

awaitable<std::optional<account>> credentials::find(std::string player_id) {
  auto select = [player_id](soci::session& sql) { return select_account(sql, player_id); };
  co_return co_await db_.read(std::move(select));
}

awaitable<std::optional<account>> credentials::find_by_email(std::string email) {
  auto select = [email](soci::session& sql) -> std::optional<account> {
    std::vector<std::string> ids(2);
    sql << "SELECT player_id FROM players WHERE email = :email LIMIT 2", soci::use(email),
        soci::into(ids);
    if (ids.size() != 1) return std::nullopt;
    return select_account(sql, ids.front());
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<result<void>> credentials::set_password(std::string player_id, std::string hash) {
  auto update = [player_id, hash](soci::session& sql) {
    soci::statement st =
        (sql.prepare
             << "UPDATE players SET password_hash = :hash, sessions_epoch = sessions_epoch + "
                "1 WHERE player_id = :id",
         soci::use(hash), soci::use(player_id));
    st.execute(true);
    return st.get_affected_rows() == 1;
  };
  const bool found = co_await db_.run(std::move(update), db::retry::safe);
  if (!found) co_return unknown_player;
  co_return result<void>{};
}

awaitable<void> credentials::replace_hash(std::string player_id, std::string old_hash,
                                          std::string hash) {
  auto update = [player_id, old_hash, hash](soci::session& sql) {
    sql << "UPDATE players SET password_hash = :hash WHERE player_id = :id AND password_hash = "
           ":old",
        soci::use(hash), soci::use(player_id), soci::use(old_hash);
  };
  co_await db_.run(std::move(update), db::retry::safe);
}

awaitable<result<new_device>> credentials::add_device(std::string player_id, std::string name) {
  new_device out;
  out.row = {random_uuid(), std::move(player_id), std::move(name), clock_.now()};
  out.secret = new_secret(secret_prefix);
  auto insert = [row = out.row, hash = sha256_hex(out.secret)](soci::session& sql) -> result<void> {
    if (!select_account(sql, row.player_id)) return unknown_player;
    int count = 0;
    sql << "SELECT COUNT(*) FROM player_devices WHERE player_id = :id", soci::use(row.player_id),
        soci::into(count);
    if (count >= devices_limit)
      return error{errc::conflict,
                   fmt::format("a player has {} devices at most; remove one", devices_limit)};
    sql << "INSERT INTO player_devices (device_id, player_id, name, secret_hash, created_at) "
           "VALUES (:device, :player, :name, :hash, :at)",
        soci::use(row.device_id), soci::use(row.player_id), soci::use(row.name), soci::use(hash),
        soci::use(row.created_at);
    return {};
  };
  auto inserted = co_await db_.transaction(std::move(insert));
  if (!inserted) co_return inserted.error();
  co_return out;
}

awaitable<std::vector<device>> credentials::devices(std::string player_id) {
  auto select = [player_id](soci::session& sql) {
    std::vector<device> out;
    const soci::rowset<soci::row> rows =
        (sql.prepare << "SELECT device_id, name, created_at FROM player_devices WHERE player_id = "
                        ":id ORDER BY created_at, device_id",
         soci::use(player_id));
    for (const auto& row : rows)
      out.push_back({row.get<std::string>(0), player_id, row.get<std::string>(1),
                     timestamp{std::chrono::milliseconds{row.get<long long>(2)}}});
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<result<void>> credentials::remove_device(std::string player_id, std::string device_id) {
  auto erase = [player_id, device_id](soci::session& sql) {
    soci::statement st = (sql.prepare << "DELETE FROM player_devices WHERE device_id = :device AND "
                                         "player_id = :player",
                          soci::use(device_id), soci::use(player_id));
    st.execute(true);
    return st.get_affected_rows() == 1;
  };
  const bool found = co_await db_.run(std::move(erase), db::retry::safe);
  if (!found) co_return error{errc::not_found, "the player has no such device"};
  co_return result<void>{};
}

awaitable<std::optional<account>> credentials::find_by_device(std::string device_id,
                                                              std::string secret) {
  if (!has_secret_form(secret, secret_prefix)) co_return std::nullopt;
  auto select = [device_id,
                 hash = sha256_hex(secret)](soci::session& sql) -> std::optional<account> {
    std::string player_id;
    std::string stored;
    sql << "SELECT player_id, secret_hash FROM player_devices WHERE device_id = :id",
        soci::use(device_id), soci::into(player_id), soci::into(stored);
    if (!sql.got_data() || !equal_in_constant_time(stored, hash)) return std::nullopt;
    return select_account(sql, player_id);
  };
  co_return co_await db_.read(std::move(select));
}

}  // namespace skirmish::sessions
