#include "apikeys/apikeys.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "core/text.hpp"
#include "db/soci.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <optional>

namespace skirmish::apikeys {
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

// How often uses are written, and how much later a use must be to be written again. Together below
// a minute.
constexpr std::chrono::seconds use_interval{15};
constexpr std::chrono::seconds use_step{30};

// The principal of a row; nullopt for one that no version of ours has written.
std::optional<http::principal> principal_of(const std::string& key_id, const std::string& role,
                                            const std::string& scopes) {
  const bool is_viewer = role == "viewer";
  auto allowed = http::scopes::parse(is_viewer ? "read" : scopes);
  if (!allowed || std::ranges::find(key_roles, role) == std::end(key_roles)) return std::nullopt;
  http::principal out{role == "server" ? http::role::server : http::role::admin, key_id};
  out.allowed = *allowed;
  return out;
}

}  // namespace

result<void> check(const key_wish& wish) {
  if (std::ranges::find(key_roles, wish.role) == std::end(key_roles))
    return error{errc::invalid_argument, "a role is server, admin or viewer"};
  if (wish.role == "viewer" && !wish.allowed.are_all())
    return error{errc::invalid_argument, "a viewer has no scopes: it reads everything"};
  if (!is_valid_utf8(wish.label)) return error{errc::invalid_argument, "the label must be UTF-8"};
  if (const auto fault = text_fault(wish.label, lines::one, 0, label_max_chars))
    return error{errc::invalid_argument, "the label " + *fault};
  return {};
}

awaitable<new_api_key> apikeys::store::create(key_wish wish) {
  new_api_key out;
  auto& row = out.row;
  row.key_id = random_hex(key_id_bytes);
  row.role = std::move(wish.role);
  row.label = std::move(wish.label);
  row.allowed = wish.allowed;
  row.created_at = clock_.now();
  if (wish.life) row.expires_at = row.created_at + *wish.life;
  const auto secret = random_hex(secret_bytes);
  out.key = "sk_" + row.key_id + "_" + secret;
  auto insert = [row, scopes = row.allowed.to_text(),
                 hash = hash_secret(row.key_id, secret)](soci::session& sql) {
    sql << "INSERT INTO api_keys (key_id, role, label, key_hash, created_at, scopes, expires_at) "
           "VALUES (:id, :role, :label, :hash, :at, :scopes, :expires)",
        soci::use(row.key_id), soci::use(row.role), soci::use(row.label), soci::use(hash),
        soci::use(row.created_at), soci::use(scopes), soci::use(row.expires_at);
  };
  co_await db_.run(std::move(insert));
  co_return out;
}

awaitable<std::vector<api_key>> apikeys::store::list() {
  auto select = [](soci::session& sql) {
    std::vector<api_key> out;
    const soci::rowset<soci::row> rows =
        (sql.prepare << "SELECT key_id, role, label, created_at, revoked_at, scopes, expires_at, "
                        "last_used_at FROM api_keys ORDER BY created_at, key_id");
    const auto time_at = [](const soci::row& row, std::size_t column) -> std::optional<timestamp> {
      if (row.get_indicator(column) != soci::i_ok) return std::nullopt;
      return timestamp{std::chrono::milliseconds{row.get<long long>(column)}};
    };
    for (const auto& row : rows) {
      const auto allowed = http::scopes::parse(row.get<std::string>(5));
      out.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<std::string>(2),
                     allowed ? *allowed : http::scopes(), time_at(row, 3).value_or(timestamp{}),
                     time_at(row, 6), time_at(row, 7), time_at(row, 4).has_value()});
    }
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<result<void>> apikeys::store::revoke(std::string key_id) {
  auto update = [key_id, at = to_millis(clock_.now())](soci::session& sql) {
    sql << "UPDATE api_keys SET revoked_at = :at WHERE key_id = :id AND revoked_at IS NULL",
        soci::use(at), soci::use(key_id);
    int found = 0;
    sql << "SELECT COUNT(*) FROM api_keys WHERE key_id = :id", soci::use(key_id), soci::into(found);
    return found != 0;
  };
  const bool found = co_await db_.run(std::move(update), db::retry::safe);
  if (!found) co_return error{errc::not_found, "there is no key " + key_id};
  co_return result<void>{};
}

awaitable<bool> apikeys::store::has_admin() {
  auto count = [](soci::session& sql) {
    int found = 0;
    sql << "SELECT COUNT(*) FROM api_keys WHERE role = 'admin' AND revoked_at IS NULL",
        soci::into(found);
    return found != 0;
  };
  co_return co_await db_.read(std::move(count));
}

awaitable<verifier::known> verifier::read(const std::string& key_id) {
  auto select = [key_id](soci::session& sql) {
    known out;
    std::string role;
    std::string scopes;
    std::optional<timestamp> expires_at;
    int revoked = 0;
    sql << "SELECT role, key_hash, CASE WHEN revoked_at IS NULL THEN 0 ELSE 1 END, scopes, "
           "expires_at FROM api_keys WHERE key_id = :id",
        soci::use(key_id), soci::into(role), soci::into(out.secret_hash), soci::into(revoked),
        soci::into(scopes), soci::into(expires_at);
    if (!sql.got_data()) return out;
    const auto who = principal_of(key_id, role, scopes);
    out.valid = revoked == 0 && who.has_value();
    if (who) out.who = *who;
    if (expires_at) out.who.expires_at = *expires_at;
    return out;
  };
  auto out = co_await db_.read(std::move(select));
  out.read_at = clock_.now();
  co_return out;
}

std::optional<verifier::known> verifier::cached(const std::string& key_id) {
  const std::lock_guard lock(mutex_);
  const auto found = cache_.find(key_id);
  return found == cache_.end() ? std::nullopt : std::optional(found->second);
}

void verifier::remember(const std::string& key_id, const known& row) {
  const std::lock_guard lock(mutex_);
  // The size of the cache is bounded by forgetting everything: keys are few, so this is an attack
  // or a leak.
  if (cache_.size() >= cache_limit) cache_.clear();
  cache_.insert_or_assign(key_id, row);
}

awaitable<verifier::known> verifier::look_up(const std::string& key_id) {
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
  co_return std::move(*found);
}

awaitable<result<http::principal>> verifier::verify(std::string key) {
  const error refused{errc::unauthenticated, "this API key is not valid"};
  const auto parts = split(key);
  if (!parts) co_return refused;
  const auto& [key_id, secret] = *parts;
  const auto found = co_await look_up(key_id);
  const bool matches = equal_in_constant_time(found.secret_hash, hash_secret(key_id, secret));
  // Asked last: the key may have been revoked while its row was read.
  if (!matches || !is_good(found)) co_return refused;
  note_use(key_id);
  co_return found.who;
}

awaitable<result<http::principal>> verifier::find(std::string key_id) {
  const auto found = co_await look_up(key_id);
  if (!is_good(found)) co_return error{errc::unauthenticated, "this API key is not valid"};
  co_return found.who;
}

void verifier::note_use(const std::string& key_id) {
  const auto now = clock_.now();
  const std::lock_guard lock(mutex_);
  const auto known = uses_.find(key_id);
  if (known != uses_.end())
    known->second.seen_at = now;
  else if (uses_.size() < cache_limit)
    uses_.emplace(key_id, use{now, timestamp{}});
}

// A key that is used all the time is written every half a minute.
awaitable<void> verifier::write_uses() {
  std::vector<std::pair<std::string, timestamp>> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key_id, u] : uses_)
      if (u.seen_at - u.written_at >= use_step && due.size() < written_at_once)
        due.emplace_back(key_id, u.seen_at);
  }
  if (due.empty()) co_return;
  auto update = [due](soci::session& sql) {
    for (const auto& [key_id, at] : due)
      sql << "UPDATE api_keys SET last_used_at = :at WHERE key_id = :id AND (last_used_at IS NULL "
             "OR last_used_at < :at2)",
          soci::use(at), soci::use(key_id), soci::use(at);
    return true;
  };
  co_await db_.transaction(std::move(update), db::retry::safe);
  const std::lock_guard lock(mutex_);
  for (const auto& [key_id, at] : due) uses_[key_id].written_at = at;
}

awaitable<void> verifier::run_use_writer() {
  repeat how{.interval = use_interval, .failed = "key_uses_not_written", .pauses_first = true};
  return repeat_every(std::move(how), [this] { return write_uses(); });
}

}  // namespace skirmish::apikeys
