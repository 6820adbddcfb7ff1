#include "sessions/sessions.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "db/soci.hpp"
#include "redis/views.hpp"
#include "sessions/secret.hpp"
#include "sessions/sessions_keys.hpp"

#include <algorithm>
#include <utility>

namespace skirmish::sessions {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::size_t looked_at_once = 500;
constexpr auto follow_interval = 500ms;
// A revocation is in force within this time: what was read longer ago without news is not trusted.
constexpr auto follow_limit = 1s;
// How long Redis may take when a remembered session could be used instead.
constexpr std::chrono::milliseconds spare_patience = 300ms;
// How long a remembered session is used while neither Redis nor SQL answers.
constexpr auto blind_limit = 5min;
// What is remembered is read again after this time, so that its use is noted.
constexpr auto reread_after = 30s;
// How often one check reads at most.
constexpr int read_attempts = 3;
constexpr auto uses_interval = 10s;

constexpr std::string_view token_prefix = "st_";
constexpr std::string_view ticket_prefix = "tk_";

const redis::script open_script{
    "sessions/open",
#include "sessions/open.lua.inc"
};
const redis::script check_script{
    "sessions/check",
#include "sessions/check.lua.inc"
};
const redis::script close_script{
    "sessions/close",
#include "sessions/close.lua.inc"
};

const error refused{errc::unauthenticated, "this session token is not valid"};
const error unknown_session{errc::not_found, "there is no such session"};

std::string millis_text(timestamp t) { return std::to_string(t.time_since_epoch().count()); }

timestamp at_millis(const redis::value& v) {
  return timestamp{std::chrono::milliseconds{v.as_integer().value_or(0)}};
}

// What check.lua returns.
std::optional<session> session_of(std::string digest, const redis::value& reply) {
  if (reply.size() != 8) return std::nullopt;
  return session{std::move(digest),    reply[1].as_string(), reply[0].as_string(),
                 reply[2].as_string(), reply[3].as_string(), at_millis(reply[4]),
                 at_millis(reply[5]),  at_millis(reply[6]),  reply[7].as_integer().value_or(0)};
}

}  // namespace

service::service(redis::client& redis, db::database& db, const redis::key_space& keys,
                 const clock& time, settings s)
    : redis_(redis), db_(db), keys_(keys), clock_(time), settings_(s) {}

awaitable<opened_session> service::open(std::string player_id, std::int64_t epoch, std::string name,
                                        std::string method) {
  opened_session out;
  out.token = new_secret(token_prefix);
  const auto now = clock_.now();
  out.row = {sha256_hex(out.token),
             random_hex(8),
             std::move(player_id),
             std::move(name),
             std::move(method),
             now,
             now,
             now + settings_.lifetime,
             epoch};
  const auto& s = out.row;
  const std::vector<std::string> args{
      s.digest,
      millis_text(now),
      std::to_string(std::min(settings_.idle_ttl, settings_.lifetime).count()),
      std::to_string(settings_.lifetime.count()),
      std::to_string(settings_.per_player),
      keys_.prefix(),
      "player_id",
      s.player_id,
      "session_id",
      s.session_id,
      "name",
      s.name,
      "method",
      s.method,
      "created_at",
      millis_text(s.created_at),
      "seen_at",
      millis_text(s.seen_at),
      "ends_at",
      millis_text(s.ends_at),
      "epoch",
      std::to_string(s.epoch)};
  const std::vector<std::string> names{session_key(keys_, s.digest),
                                       sessions_key(keys_, s.player_id), revoked_key(keys_)};
  const auto keys = redis::views(names);
  const auto values = redis::views(args);
  redis::checked(co_await redis_.eval(open_script, keys, values));
  co_return out;
}

awaitable<result<session>> service::check(std::string token) {
  if (!has_secret_form(token, token_prefix)) co_return refused;
  co_return co_await check_digest(sha256_hex(token));
}

std::optional<result<session>> service::recall(const std::string& digest) const {
  const auto found = sessions_.find(digest);
  if (found == sessions_.end()) return std::nullopt;
  const auto& known = found->second;
  if (known.row.ends_at <= clock_.now()) return result<session>(refused);
  const auto age = steady::now() - known.read_at;
  if (age < reread_after && (follows() || age < follow_limit)) return result<session>(known.row);
  return std::nullopt;
}

awaitable<service::reading> service::read_or_recall(std::string digest) {
  reading out;
  std::optional<session> copy;
  const auto found = sessions_.find(digest);
  if (found != sessions_.end() && steady::now() - found->second.read_at < blind_limit)
    copy = found->second.row;
  try {
    redis::exec_options options;
    if (copy) options.timeout = spare_patience;
    out.row = co_await read(digest, options);
  } catch (const failure&) {
    // Redis is away. What is remembered goes on, unless SQL knows better.
    if (!copy) throw;
    epochs_.erase(copy->player_id);
    out.row = std::move(copy);
    out.is_blind = true;
  }
  co_return out;
}

awaitable<result<session>> service::check_digest(std::string digest) {
  // What was read is read again when an end was heard of meanwhile: it may be from before.
  for (int attempt = 0; attempt < read_attempts; ++attempt) {
    if (auto known = recall(digest)) co_return std::move(*known);
    const auto mark = heard_;
    auto found = co_await read_or_recall(digest);
    bool is_good = false;
    if (found.row) is_good = co_await is_current(*found.row);
    if (!is_good) {
      sessions_.erase(digest);
      co_return refused;
    }
    if (has_ended_since(mark, found.row->player_id)) continue;
    if (!found.is_blind) {
      if (sessions_.size() >= memory_limit) sessions_.clear();
      sessions_.insert_or_assign(digest, remembered{*found.row, steady::now()});
    }
    co_return std::move(*found.row);
  }
  throw failure(errc::unavailable, "sessions of this player keep ending");
}

void service::note_use(const std::string& player_id, const std::string& digest, bool was_used) {
  auto& noted = was_used ? uses_ : listeners_;
  if (noted.size() < memory_limit) noted.insert_or_assign(digest, player_id);
}

// Of sessions that nobody uses: a look at them that would be a use must not be taken.
awaitable<void> service::find_ended(std::vector<std::pair<std::string, std::string>> listeners) {
  for (std::size_t start = 0; start < listeners.size(); start += looked_at_once) {
    const auto end = std::min(start + looked_at_once, listeners.size());
    redis::request looks;
    for (auto i = start; i < end; ++i) looks.push("EXISTS", session_key(keys_, listeners[i].first));
    const auto replies = co_await redis_.exec(std::move(looks));
    for (auto i = start; i < end; ++i) {
      const auto& [digest, player_id] = listeners[i];
      if (replies[i - start].as_integer() == 0) revoked_({player_id, digest});
    }
  }
}

awaitable<void> service::run_uses() {
  repeat how{.interval = uses_interval, .failed = "session_uses_not_noted", .pauses_first = true};
  return repeat_every(std::move(how), [this] { return look_at_uses(); });
}

awaitable<void> service::look_at_uses() {
  const auto uses = std::exchange(uses_, {});
  auto listeners = std::exchange(listeners_, {});
  for (const auto& [digest, player_id] : uses) listeners.erase(digest);
  for (const auto& [digest, player_id] : uses) {
    // A look at Redis notes the use.
    const auto lives = co_await check_digest(digest);
    if (!lives) revoked_({player_id, digest});
  }
  std::vector<std::pair<std::string, std::string>> silent(listeners.begin(), listeners.end());
  co_await find_ended(std::move(silent));
}

awaitable<std::optional<session>> service::read(std::string digest, redis::exec_options options) {
  const std::vector<std::string> names{session_key(keys_, digest)};
  const std::vector<std::string> args{millis_text(clock_.now()),
                                      std::to_string(settings_.idle_ttl.count())};
  const auto keys = redis::views(names);
  const auto values = redis::views(args);
  const auto reply = redis::checked(co_await redis_.eval(check_script, keys, values, options));
  co_return session_of(std::move(digest), reply);
}

// Whether the session's player is still there, and not all of its sessions were ended since it was
// opened. SQL is asked once per player, and again when that may have changed; when it does not
// answer, Redis decides.
awaitable<bool> service::is_current(const session& s) {
  // What is remembered may be behind the session, but not before it.
  if (const auto known = epochs_.find(s.player_id);
      known != epochs_.end() && s.epoch <= known->second)
    co_return s.epoch == known->second;
  const auto mark = heard_;
  std::optional<std::int64_t> epoch;
  try {
    auto select = [player_id = s.player_id](soci::session& sql) {
      long long out = -1;
      sql << "SELECT sessions_epoch FROM players WHERE player_id = :id", soci::use(player_id),
          soci::into(out);
      return sql.got_data() ? std::optional<std::int64_t>(out) : std::nullopt;
    };
    epoch = co_await db_.read(std::move(select));
  } catch (const failure& e) {
    log::warn("session_epoch_unavailable", {{"error", e.what()}});
    co_return true;
  }
  if (!epoch) co_return false;  // there is no such player any more
  if (!has_ended_since(mark, s.player_id)) {
    if (epochs_.size() >= memory_limit) epochs_.clear();
    epochs_.insert_or_assign(s.player_id, *epoch);
  }
  co_return s.epoch == *epoch;
}

awaitable<std::string> service::make_ticket(std::string digest) {
  auto ticket = new_secret(ticket_prefix);
  auto reply = co_await redis_.command("SET", ticket_key(keys_, sha256_hex(ticket)), digest, "EX",
                                       ticket_ttl.count());
  redis::checked(std::move(reply));
  co_return ticket;
}

awaitable<result<session>> service::take_ticket(std::string ticket) {
  const error bad{errc::unauthenticated, "this ticket is not valid, or was used"};
  if (!has_secret_form(ticket, ticket_prefix)) co_return bad;
  auto digest =
      redis::checked(co_await redis_.command("GETDEL", ticket_key(keys_, sha256_hex(ticket))));
  if (!digest.is_string()) co_return bad;
  co_return co_await check_digest(digest.as_string());
}

awaitable<std::vector<session>> service::list(std::string player_id) {
  const auto key = sessions_key(keys_, player_id);
  const auto digests =
      redis::checked(co_await redis_.command("ZREVRANGE", key, 0, settings_.per_player - 1))
          .as_strings();
  std::vector<session> out;
  for (const auto& digest : digests) {
    auto row = co_await read(digest);
    bool lives = false;
    if (row) lives = co_await is_current(*row);
    if (lives)
      out.push_back(std::move(*row));
    else
      redis::checked(co_await redis_.command("ZREM", key, digest));
  }
  co_return out;
}

awaitable<result<void>> service::close(std::string player_id, std::string session_id) {
  const auto all = co_await list(player_id);
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const session& s) { return s.session_id == session_id; });
  if (found == all.end()) co_return unknown_session;
  co_await close_digest(std::move(player_id), found->digest);
  co_return result<void>{};
}

awaitable<void> service::close_digest(std::string player_id, std::string digest) {
  const std::vector<std::string> names{sessions_key(keys_, player_id), revoked_key(keys_)};
  const std::vector<std::string> args{player_id, digest, keys_.prefix()};
  const auto keys = redis::views(names);
  const auto values = redis::views(args);
  redis::checked(co_await redis_.eval(close_script, keys, values));
  apply({std::move(player_id), std::move(digest)});
}

awaitable<result<void>> service::close_all(std::string player_id) {
  // SQL first: from here on no session opened before is valid, whatever becomes of the rest.
  auto raise = [player_id](soci::session& sql) {
    soci::statement st = (sql.prepare << "UPDATE players SET sessions_epoch = sessions_epoch + 1 "
                                         "WHERE player_id = :id",
                          soci::use(player_id));
    st.execute(true);
    return st.get_affected_rows() == 1;
  };
  const bool found = co_await db_.run(std::move(raise));
  co_await announce_end_of_all(std::move(player_id));
  if (!found) co_return error{errc::not_found, "there is no such player"};
  co_return result<void>{};
}

awaitable<void> service::announce_end_of_all(std::string player_id) {
  apply({player_id, "*"});  // here at once, even when Redis does not answer
  co_await close_digest(std::move(player_id), "*");
}

awaitable<void> service::run() {
  // While Redis is away, check() notices by followed_at_.
  repeat how{.interval = follow_interval, .failed = "revoked_sessions_not_read"};
  return repeat_every(std::move(how), [this] { return follow_once(); });
}

// Reads what was revoked since the last look.
awaitable<void> service::follow_once() {
  const auto connection = redis_.stats().connections.load();
  if (position_.empty()) {
    const auto last = redis::checked(
        co_await redis_.command("XREVRANGE", revoked_key(keys_), "+", "-", "COUNT", 1));
    position_ = last.size() == 0 ? "0-0" : last[0][0].as_string();
  }
  const auto reply = redis::checked(
      co_await redis_.command("XRANGE", revoked_key(keys_), "(" + position_, "+", "COUNT", 10'000));
  for (const auto& entry : reply.elements()) {
    position_ = entry[0].as_string();
    const auto* player = entry[1].find("player_id");
    const auto* digest = entry[1].find("digest");
    if (player && digest) apply({player->as_string(), digest->as_string()});
  }
  // Another connection, perhaps to a Redis that has lost something: what is remembered goes.
  if (connection != connection_) forget_all();
  connection_ = connection;
  followed_at_ = steady::now();
}

void service::apply(const revocation& r) {
  if (ended_.size() >= ended_limit) {
    ended_.clear();
    forgot_at_ = heard_ + 1;
  }
  ended_.insert_or_assign(r.player_id, ++heard_);
  if (r.digest == "*") {
    epochs_.erase(r.player_id);
    boost::unordered::erase_if(
        sessions_, [&](const auto& entry) { return entry.second.row.player_id == r.player_id; });
  } else {
    sessions_.erase(r.digest);
  }
  revoked_(r);
}

void service::forget_all() {
  sessions_.clear();
  epochs_.clear();
  ended_.clear();
  forgot_at_ = ++heard_;
}

bool service::has_ended_since(std::uint64_t mark, const std::string& player_id) const {
  if (forgot_at_ > mark) return true;
  const auto found = ended_.find(player_id);
  return found != ended_.end() && found->second > mark;
}

bool service::follows() const {
  return steady::now() - followed_at_ < follow_limit &&
         redis_.stats().connections.load() == connection_;
}

}  // namespace skirmish::sessions
