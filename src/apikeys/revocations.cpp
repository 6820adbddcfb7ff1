#include "apikeys/revocations.hpp"

#include "apikeys/apikeys_keys.hpp"
#include "core/error.hpp"
#include "core/repeat.hpp"
#include "db/soci.hpp"

namespace skirmish::apikeys {

using namespace std::chrono_literals;

bool revoked_keys::contains(std::string_view key_id) const {
  const std::lock_guard lock(mutex_);
  return ids_.contains(key_id);
}

void revoked_keys::add(const std::vector<std::string>& key_ids) {
  const std::lock_guard lock(mutex_);
  bool grew = false;
  for (const auto& id : key_ids) grew = ids_.insert(id).second || grew;
  if (grew) ++version_;
}

awaitable<void> announce_revocation(redis::client& redis, const redis::key_space& keys,
                                    std::string key_id) {
  redis::checked(co_await redis.command("SADD", revoked_key(keys), key_id));
}

revocation_watch::revocation_watch(asio::io_context& io, const redis::connection_config& redis,
                                   const redis::key_space& keys, db::database& db,
                                   revoked_keys& revoked)
    : redis_(io, redis, "skirmish-revocations"),
      keys_(keys),
      db_(db),
      revoked_(revoked),
      group_(io) {}

void revocation_watch::start() {
  group_.keep_running("revocations_redis", [this] { return redis_.run(); });
  // Each by itself: one that does not answer must not hold the other back.
  const repeat how{.interval = period, .failed = "revocations_not_read"};
  group_.keep_running("revocations_in_redis", [this, how] {
    return repeat_every(how, [this] { return look_in_redis(); });
  });
  group_.keep_running("revocations_in_sql",
                      [this, how] { return repeat_every(how, [this] { return look_in_sql(); }); });
}

awaitable<void> revocation_watch::stop() {
  redis_.stop();
  group_.close();
  co_await group_.wait(5s);
}

awaitable<void> revocation_watch::look_in_redis() {
  const auto key = revoked_key(keys_);
  const auto counted = redis::checked(co_await redis_.command("SCARD", key));
  const auto count = counted.as_integer().value_or(0);
  if (count == in_redis_) co_return;
  const auto ids = redis::checked(co_await redis_.command("SMEMBERS", key));
  revoked_.add(ids.as_strings());
  in_redis_ = count;
}

awaitable<void> revocation_watch::look_in_sql() {
  auto count_them = [](soci::session& sql) {
    long long count = 0;
    sql << "SELECT COUNT(*) FROM api_keys WHERE revoked_at IS NOT NULL", soci::into(count);
    return count;
  };
  const auto count = co_await db_.read(std::move(count_them));
  if (count == in_sql_) co_return;
  auto read_them = [](soci::session& sql) {
    std::vector<std::string> ids;
    const soci::rowset<std::string> rows =
        (sql.prepare << "SELECT key_id FROM api_keys WHERE revoked_at IS NOT NULL");
    for (const auto& id : rows) ids.push_back(id);
    return ids;
  };
  revoked_.add(co_await db_.read(std::move(read_them)));
  in_sql_ = count;
}

}  // namespace skirmish::apikeys
