#include "console/console_sessions.hpp"

#include "console/console_keys.hpp"
#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace skirmish::console {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view token_prefix = "cs_";
// How long Redis may take when a remembered session could be used instead.
constexpr std::chrono::milliseconds spare_patience = 300ms;

const error refused{errc::unauthenticated, "the console session has ended; log in again"};

}  // namespace

bool is_of_own_page(const http::request& r) {
  if (r.is_secure && r.header("origin").starts_with("http://")) return false;
  return http::is_allowed_origin(r, "");
}

std::string_view token_in(std::string_view field) {
  while (!field.empty()) {
    const auto end = std::min(field.find(';'), field.size());
    auto pair = field.substr(0, end);
    field.remove_prefix(std::min(end + 1, field.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > http::console_cookie.size() && pair.starts_with(http::console_cookie) &&
        pair[http::console_cookie.size()] == '=')
      return pair.substr(http::console_cookie.size() + 1);
  }
  return {};
}

std::string key_id_in(std::string_view key) {
  constexpr std::string_view prefix = "sk_";
  constexpr std::size_t id_digits = 12;
  constexpr std::size_t secret_digits = 64;
  const auto is_hex = [](std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  const bool is_key = key.size() == prefix.size() + id_digits + 1 + secret_digits &&
                      key.starts_with(prefix) && key[prefix.size() + id_digits] == '_' &&
                      is_hex(key.substr(prefix.size(), id_digits)) &&
                      is_hex(key.substr(prefix.size() + id_digits + 1));
  return is_key ? std::string(key.substr(prefix.size(), id_digits)) : std::string();
}

awaitable<result<http::principal>> session_store::verify(std::string key) {
  return verifier_.verify(std::move(key));
}

awaitable<result<opened_session>> session_store::open(http::principal who) {
  opened_session out;
  out.token = std::string(token_prefix) + random_hex(32);
  out.row.key_id = who.id;
  out.row.digest = sha256_hex(out.token);
  out.row.ends_at =
      std::min<timestamp>(clock_.now() + std::chrono::milliseconds{session_life}, who.expires_at);
  const auto all = co_await store_.list();
  const auto found = std::ranges::find(all, who.id, &apikeys::api_key::key_id);
  if (found != all.end() && found->role == "server")
    co_return error{errc::forbidden, "the console is for keys of role admin or viewer"};
  if (found != all.end()) {
    out.row.role = found->role;
    out.row.name = found->label;
  }
  out.row.who = std::move(who);
  out.row.who.session = out.row.digest;
  out.row.who.expires_at = out.row.ends_at;
  const auto name = session_key(keys_, out.row.digest);
  redis::request commands;
  const auto ends_at = std::to_string(out.row.ends_at.time_since_epoch().count());
  commands.push("HSET", name, "key_id", out.row.key_id, "role", out.row.role, "name", out.row.name,
                "ends_at", ends_at);
  commands.push("PEXPIREAT", name, ends_at);
  redis::checked(co_await redis_.exec(std::move(commands)));
  co_return std::move(out);
}

awaitable<std::optional<session>> session_store::read(std::string digest) {
  const auto stored = redis::checked(co_await redis_.command("HMGET", session_key(keys_, digest),
                                                             "key_id", "role", "name", "ends_at"));
  if (stored[0].is_nil()) co_return std::nullopt;
  session out;
  out.key_id = stored[0].as_string();
  out.role = stored[1].as_string();
  out.name = stored[2].as_string();
  out.digest = std::move(digest);
  out.ends_at = timestamp{std::chrono::milliseconds{stored[3].as_integer().value_or(0)}};
  auto who = co_await verifier_.find(out.key_id);
  if (!who) co_return std::nullopt;
  out.who = std::move(*who);
  out.who.session = out.digest;
  out.who.expires_at = std::min(out.who.expires_at, out.ends_at);
  co_return std::move(out);
}

awaitable<result<session>> session_store::check(std::string token) {
  // Whatever else it is costs Redis nothing.
  if (!token.starts_with(token_prefix) || token.size() != token_prefix.size() + 64)
    co_return refused;
  co_return co_await check_digest(sha256_hex(token));
}

awaitable<result<session>> session_store::check_digest(std::string digest) {
  auto found = known_.find(digest);
  const bool is_known = found != known_.end();
  if (!is_known || clock_.now() - found->second.read_at > check_interval) {
    std::optional<session> row;
    std::string problem;
    try {
      const auto executor = co_await asio::this_coro::executor;
      const auto ask = [this, &digest] { return read(digest); };
      const auto patience = is_known ? spare_patience : std::chrono::milliseconds{5s};
      row = co_await asio::co_spawn(executor, ask, asio::cancel_after(patience, use_awaitable));
    } catch (const failure& e) {
      problem = e.what();
    } catch (const boost::system::system_error&) {
      problem = "Redis did not answer in time";
    }
    found = known_.find(digest);  // others may have changed the map meanwhile
    if (!problem.empty()) {
      if (found == known_.end()) throw failure(errc::unavailable, "console session: " + problem);
      log::debug("console_session_not_read", {{"error", problem}});
    } else if (!row) {
      if (found != known_.end()) known_.erase(found);
      co_return refused;
    } else {
      if (known_.size() >= known_limit) known_.clear();
      found =
          known_.insert_or_assign(std::move(digest), known{std::move(*row), clock_.now()}).first;
    }
  }
  const auto& row = found->second.row;
  if (row.ends_at <= clock_.now() || !verifier_.is_still_valid(row.who)) {
    known_.erase(found);
    co_return refused;
  }
  verifier_.note_use(row.key_id);
  co_return row;
}

awaitable<void> session_store::close(std::string digest) {
  known_.erase(digest);
  redis::checked(co_await redis_.command("DEL", session_key(keys_, digest)));
}

}  // namespace skirmish::console
