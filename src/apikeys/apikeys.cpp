#include "apikeys/apikeys.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "db/soci.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <sodium.h>

#include <array>
#include <optional>

namespace skirmish {
namespace {

// How long a request waits for the database to confirm a key, when there is an older answer and
// when there is none.
constexpr std::chrono::milliseconds stale_patience{100};
constexpr std::chrono::milliseconds unknown_patience{30'000};

constexpr std::size_t key_id_bytes = 6;
constexpr std::size_t secret_bytes = 32;

// BLAKE2b-256 of the secret, keyed with the key id, in hex.
std::string hash_secret(std::string_view key_id, std::string_view secret) {
  std::array<unsigned char, crypto_generichash_BYTES> digest{};
  // libsodium asks for keys of at least 16 bytes: the id is padded with zeros.
  std::array<unsigned char, crypto_generichash_KEYBYTES> key{};
  std::copy_n(key_id.begin(), std::min(key_id.size(), key.size()), key.begin());
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(secret.data()), secret.size(),
                     key.data(), key.size());
  return to_hex(digest);
}

// The two parts of a well-formed key.
std::optional<std::pair<std::string, std::string>> split(std::string_view key) {
  constexpr std::string_view prefix = "sk_";
  if (key.size() != prefix.size() + 2 * key_id_bytes + 1 + 2 * secret_bytes ||
      !key.starts_with(prefix) || key[prefix.size() + 2 * key_id_bytes] != '_' ||
      !is_valid_id(key.substr(0, 2 * key_id_bytes)))
    return std::nullopt;
  return std::pair{std::string(key.substr(prefix.size(), 2 * key_id_bytes)),
                   std::string(key.substr(prefix.size() + 2 * key_id_bytes + 1))};
}

std::int64_t to_millis(timestamp t) { return t.time_since_epoch().count(); }

}  // namespace

std::string_view to_string(http::role as) noexcept {
  switch (as) {
    case http::role::anonymous: return "anonymous";
    case http::role::player: return "player";
    case http::role::server: return "server";
    case http::role::admin: return "admin";
  }
  return "anonymous";
}

result<http::role> parse_role(std::string_view word) {
  if (word == "server") return http::role::server;
  if (word == "admin") return http::role::admin;
  return error{errc::invalid_argument, "a role is server or admin"};
}

awaitable<new_api_key> api_key_store::create(http::role as, std::string label) {
  new_api_key out{{random_hex(key_id_bytes), as, std::move(label), clock_.now(), false}, {}};
  const auto secret = random_hex(secret_bytes);
  out.key = "sk_" + out.row.key_id + "_" + secret;
  auto insert = [row = out.row, role = std::string(to_string(as)),
                 hash = hash_secret(out.row.key_id, secret),
                 at = to_millis(out.row.created_at)](soci::session& sql) {
    sql << "INSERT INTO api_keys (key_id, role, label, key_hash, created_at) VALUES (:id, :role, "
           ":label, :hash, :at)",
        soci::use(row.key_id), soci::use(role), soci::use(row.label), soci::use(hash),
        soci::use(at);
  };
  co_await db_.run(std::move(insert));
  co_return out;
}

awaitable<std::vector<api_key>> api_key_store::list() {
  auto select = [](soci::session& sql) {
    std::vector<api_key> out;
    const soci::rowset<soci::row> rows =
        (sql.prepare << "SELECT key_id, role, label, created_at, revoked_at FROM api_keys "
                        "ORDER BY created_at, key_id");
    for (const auto& row : rows) {
      const auto role = parse_role(row.get<std::string>(1));
      out.push_back({row.get<std::string>(0), role ? *role : http::role::anonymous,
                     row.get<std::string>(2),
                     timestamp{std::chrono::milliseconds{row.get<long long>(3)}},
                     row.get_indicator(4) == soci::i_ok});
    }
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<result<void>> api_key_store::revoke(std::string key_id) {
  auto update = [key_id, at = to_millis(clock_.now())](soci::session& sql) {
    sql << "UPDATE api_keys SET revoked_at = :at WHERE key_id = :id AND revoked_at IS NULL",
        soci::use(at), soci::use(key_id);
    int found = 0;
    sql << "SELECT COUNT(*) FROM api_keys WHERE key_id = :id", soci::use(key_id), soci::into(found);
    return found != 0;
  };
  const bool found = co_await db_.run(std::move(update), retry::safe);
  if (!found) co_return error{errc::not_found, "there is no key " + key_id};
  co_return result<void>{};
}

awaitable<bool> api_key_store::has_admin() {
  auto count = [](soci::session& sql) {
    int found = 0;
    sql << "SELECT COUNT(*) FROM api_keys WHERE role = 'admin' AND revoked_at IS NULL",
        soci::into(found);
    return found != 0;
  };
  co_return co_await db_.read(std::move(count));
}

awaitable<api_key_verifier::known> api_key_verifier::read(const std::string& key_id) {
  auto select = [key_id](soci::session& sql) {
    known out;
    std::string role;
    int revoked = 0;
    sql << "SELECT role, key_hash, CASE WHEN revoked_at IS NULL THEN 0 ELSE 1 END FROM api_keys "
           "WHERE key_id = :id",
        soci::use(key_id), soci::into(role), soci::into(out.secret_hash), soci::into(revoked);
    if (!sql.got_data()) return out;
    const auto as = parse_role(role);
    out.valid = revoked == 0 && as.has_value();
    if (as) out.who = {*as, key_id};
    return out;
  };
  auto out = co_await db_.read(std::move(select));
  out.read_at = clock_.now();
  co_return out;
}

std::optional<api_key_verifier::known> api_key_verifier::cached(const std::string& key_id) {
  const std::lock_guard lock(mutex_);
  const auto found = cache_.find(key_id);
  return found == cache_.end() ? std::nullopt : std::optional(found->second);
}

void api_key_verifier::remember(const std::string& key_id, const known& row) {
  const std::lock_guard lock(mutex_);
  // The size of the cache is bounded by forgetting everything: keys are few, so this is an attack
  // or a leak.
  if (cache_.size() >= cache_limit) cache_.clear();
  cache_.insert_or_assign(key_id, row);
}

awaitable<result<http::principal>> api_key_verifier::verify(std::string key) {
  const error refused{errc::unauthenticated, "this API key is not valid"};
  const auto parts = split(key);
  if (!parts) co_return refused;
  const auto& [key_id, secret] = *parts;

  auto found = cached(key_id);
  const auto age = found ? clock_.now() - found->read_at : std::chrono::milliseconds::max();
  if (age > std::chrono::seconds{cache_seconds}) {
    const bool may_be_stale = age <= std::chrono::seconds{stale_seconds};
    std::string problem;
    try {
      const auto executor = co_await asio::this_coro::executor;
      const auto ask = [this, &key_id] { return read(key_id); };
      const auto patience = may_be_stale ? stale_patience : unknown_patience;
      found = co_await asio::co_spawn(executor, ask, asio::cancel_after(patience, use_awaitable));
      remember(key_id, *found);
    } catch (const failure& e) {
      if (!may_be_stale) throw;
      problem = e.what();
    } catch (const boost::system::system_error&) {
      problem = "the database did not answer in time";
    }
    // A key that was good a while ago keeps working while the database is down.
    if (!problem.empty()) {
      if (!may_be_stale) throw failure(errc::unavailable, "API key: " + problem);
      log::warn("api_key_stale", {{"key_id", key_id}, {"error", problem}});
    }
  }
  const bool matches = equal_in_constant_time(found->secret_hash, hash_secret(key_id, secret));
  // Asked last: the key may have been revoked while its row was read.
  if (!found->valid || !matches || revoked_.contains(key_id)) co_return refused;
  co_return found->who;
}

}  // namespace skirmish
