#include "players/players.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "db/soci.hpp"
#include "players/players_keys.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace skirmish::players {
namespace {

const redis::script update_state_script{
    "players/update_state",
#include "players/update_state.lua.inc"
};

const error unknown_player{errc::not_found, "there is no such player"};

std::int64_t to_millis(timestamp t) { return t.time_since_epoch().count(); }
timestamp from_millis(std::int64_t ms) { return timestamp{std::chrono::milliseconds{ms}}; }

std::optional<profile> select_profile(soci::session& sql, const std::string& player_id) {
  profile p;
  p.player_id = player_id;
  std::string email;
  soci::indicator has_email = soci::i_null;
  long long level = 0;
  long long created_at = 0;
  long long version = 0;
  sql << "SELECT name, email, level, created_at, version FROM players WHERE player_id = :id",
      soci::use(player_id), soci::into(p.name), soci::into(email, has_email), soci::into(level),
      soci::into(created_at), soci::into(version);
  if (!sql.got_data()) return std::nullopt;
  if (has_email == soci::i_ok) p.email = email;
  p.level = level;
  p.created_at = from_millis(created_at);
  p.version = version;
  return p;
}

cache::fields to_cached(const profile& p) {
  return {{"name", p.name},
          {"email", p.email},
          {"level", std::to_string(p.level)},
          {"created_at", to_rfc3339(p.created_at)},
          {"version", std::to_string(p.version)}};
}

// Nothing when the hash is not what to_cached() makes: somebody else wrote it.
std::optional<profile> from_cached(const std::string& player_id, const cache::answer& cached) {
  const auto text = [&](const char* name) {
    return std::string(cached.field(name).value_or(std::string_view()));
  };
  const auto created_at = parse_rfc3339(text("created_at"));
  const auto level = parse_integer(text("level"));
  const auto version = parse_integer(text("version"));
  if (!created_at || !level || !version) return std::nullopt;
  return profile{player_id, text("name"), text("email"), *level, *created_at, *version};
}

// A profile is dropped at each change, so it is never wrong for being old: fresh as long as it is
// there.
cache::policy profile_policy(db::sql_kind kind) {
  cache::policy policy;
  policy.ttl = profile_ttl;
  policy.as = cache::stored_as::hash;
  policy.sliding = true;
  policy.load_timeout = db::cached_read_limit(kind);
  policy.wait_limit = policy.load_timeout;
  cache::growing_field level{
      "level", [](std::string_view name) {
        return std::string("player:").append(redis::id_part(name.substr(name.find(':') + 1)));
      }};
  policy.growing = std::make_shared<const cache::growing_field>(std::move(level));
  return policy;
}

}  // namespace

service::service(db::database& db, const db::reachability& sql, redis::client& redis,
                 cache::store& caches, const redis::key_space& keys, const clock& time)
    : db_(db),
      sql_(sql),
      redis_(redis),
      profiles_(caches, "profiles", profile_policy(db.kind())),
      keys_(keys),
      clock_(time) {}

awaitable<std::optional<profile>> service::load(std::string player_id) {
  auto select = [player_id](soci::session& sql) { return select_profile(sql, player_id); };
  co_return co_await db_.read(std::move(select));
}

awaitable<std::optional<cache::content>> service::load_for_cache(std::string player_id) {
  auto found = co_await load(std::move(player_id));
  if (!found) co_return std::nullopt;
  co_return to_cached(*found);
}

awaitable<void> service::create_live(const std::vector<profile>& players) {
  const auto now = to_rfc3339(clock_.now());
  redis::request r;
  for (const auto& p : players) {
    const auto key = state_key(keys_, p.player_id);
    // HSETNX on hp alone decides who is first; the other fields have the same values whoever writes
    // them.
    for (const auto* stat : {"hp", "mp", "stamina"}) r.push("HSETNX", key, stat, stat_at_birth);
    r.push("HSETNX", key, "damage_dealt", 0);
    // From here on the level grows here; the level writer carries it to SQL.
    r.push("HSETNX", key, "level", p.level);
    for (const auto* text : {"interaction", "target", "lat", "lon"})
      r.push("HSETNX", key, text, "");
    r.push("HSETNX", key, "updated_at", now);
  }
  auto replies = co_await redis_.exec(std::move(r));
  for (const auto& reply : replies)
    if (redis::is_wrong_type(reply))
      throw failure(errc::conflict, "a key of this player in Redis holds something else");
  redis::checked(std::move(replies));
}

awaitable<result<profile>> service::create(profile p, std::string password_hash) {
  p.created_at = clock_.now();
  p.level = 1;
  p.version = 1;
  auto insert = [p, hash = std::move(password_hash),
                 at = to_millis(p.created_at)](soci::session& sql) {
    if (select_profile(sql, p.player_id)) return false;
    auto has_email = p.email.empty() ? soci::i_null : soci::i_ok;
    auto has_hash = hash.empty() ? soci::i_null : soci::i_ok;
    // A device that was registered while an earlier player of this id was removed.
    sql << "DELETE FROM player_devices WHERE player_id = :id", soci::use(p.player_id);
    // Its sessions' epoch is one that no earlier player of this id had.
    sql << "INSERT INTO players (player_id, name, name_folded, email, password_hash, created_at, "
           "updated_at, sessions_epoch) VALUES (:id, :name, LOWER(:folded), :email, :hash, :at, "
           ":up, :epoch)",
        soci::use(p.player_id), soci::use(p.name), soci::use(p.name), soci::use(p.email, has_email),
        soci::use(hash, has_hash), soci::use(at), soci::use(at), soci::use(at);
    return true;
  };
  const bool inserted = co_await db_.transaction(std::move(insert));
  if (!inserted) {
    // A creation that was cut short may have left the profile without live state: a repeat
    // completes it.
    std::vector<std::string> ids{p.player_id};
    co_await restore_live(std::move(ids));
    co_return error{errc::already_exists, "there is a player " + p.player_id + " already"};
  }
  const std::vector<profile> born{p};
  co_await create_live(born);
  auto fields = to_cached(p);
  co_await profiles_.set_cache(profile_name(p.player_id), std::move(fields));
  co_return p;
}

awaitable<result<std::pair<profile, cache::source>>> service::get(std::string player_id) {
  const auto name = profile_name(player_id);
  const auto load = [this, player_id] { return load_for_cache(player_id); };
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto found = co_await profiles_.get_or_load(name, load);
    if (!found.value) co_return unknown_player;
    if (auto p = from_cached(player_id, found)) {
      const bool is_sure = found.from != cache::source::hit || sql_.ok();
      co_return std::pair{std::move(*p), is_sure ? found.from : cache::source::stale};
    }
    co_await profiles_.invalidate_cache(name);
  }
  throw failure(errc::internal, "somebody keeps writing to " + name);
}

awaitable<result<profile>> service::update(std::string player_id, profile_change change,
                                           std::optional<std::int64_t> if_version) {
  auto write = [player_id, change, if_version,
                at = to_millis(clock_.now())](soci::session& sql) -> result<profile> {
    auto p = select_profile(sql, player_id);
    if (!p) return unknown_player;
    if (if_version && *if_version != p->version)
      return error{errc::conflict,
                   fmt::format("the profile has version {} now; read it again", p->version)};
    const auto old_version = p->version++;
    if (change.name) p->name = *change.name;
    if (change.email) p->email = *change.email;
    auto has_email = p->email.empty() ? soci::i_null : soci::i_ok;
    soci::statement st =
        (sql.prepare
             << "UPDATE players SET name = :name, name_folded = LOWER(:folded), email = :email, "
                "updated_at = :at, version = :v WHERE player_id = :id AND version = :old",
         soci::use(p->name), soci::use(p->name), soci::use(p->email, has_email), soci::use(at),
         soci::use(p->version), soci::use(player_id), soci::use(old_version));
    st.execute(true);
    if (st.get_affected_rows() != 1)
      return error{errc::conflict, "the profile has just been changed; read it again"};
    return *p;
  };
  auto written = co_await db_.transaction(std::move(write));
  if (!written) co_return written;
  co_await profiles_.invalidate_cache(profile_name(player_id));
  try {
    // SQL follows the level of the live state a moment later.
    const auto live =
        redis::checked(co_await redis_.command("HGET", state_key(keys_, player_id), "level"));
    written->level = std::max(written->level, live.as_integer().value_or(0));
  } catch (const failure& e) {
    // The change is made all the same.
    log::warn("live_level_unavailable", {{"player_id", player_id}, {"error", e.what()}});
  }
  co_return written;
}

awaitable<result<void>> service::remove(std::string player_id) {
  auto erase = [player_id](soci::session& sql) {
    const bool found = select_profile(sql, player_id).has_value();
    sql << "DELETE FROM players WHERE player_id = :id", soci::use(player_id);
    sql << "DELETE FROM player_devices WHERE player_id = :id", soci::use(player_id);
    sql << "DELETE FROM player_notes WHERE player_id = :id", soci::use(player_id);
    return found;
  };
  const bool found = co_await db_.transaction(std::move(erase), db::retry::safe);
  // Also when it was not found: a removal that was cut short is completed by a repeat.
  if (removed_) co_await removed_(player_id);
  co_await profiles_.invalidate_cache(profile_name(player_id));
  co_await remove_live(player_id);
  if (forgotten_) co_await forgotten_(player_id);
  // What was pending of the player has been flushed there.
  redis::checked(co_await redis_.command("DEL", actions_key(keys_, player_id)));
  if (!found) co_return unknown_player;
  co_return result<void>{};
}

awaitable<void> service::remove_live(const std::string& player_id) {
  redis::request r;
  r.push("DEL", state_key(keys_, player_id), actions_key(keys_, player_id),
         move_key(keys_, player_id), keys_.key("achievements", player_id),
         keys_.key("inventory", player_id), keys_.key("notifications", player_id));
  const auto conversations = "dm:" + player_id;
  if (is_valid_id(conversations))  // else it is too long for a channel: there are none
    r.push("DEL", keys_.key("chat", conversations), keys_.key("chatmutes", conversations),
           keys_.key("chatbans", conversations), keys_.key("chatmute_notes", conversations),
           keys_.key("chatban_notes", conversations));
  r.push("ZREM", keys_.key("chat@channels"), conversations);
  r.push("ZREM", keys_.key("positions"), player_id);
  r.push("SREM", levelled_key(keys_), player_id);
  redis::without_damaged(co_await redis_.exec(std::move(r)));
}

namespace {

// Each element of the list holds the actions of one commit, a line each, the oldest first.
std::vector<std::string> newest_lines(const redis::value& list, std::int64_t limit) {
  std::vector<std::string> out;
  for (const auto& element : list.elements()) {
    std::string_view rest = element.as_string();
    while (!rest.empty() && out.size() < static_cast<std::size_t>(limit)) {
      const auto start = rest.rfind('\n') + 1;  // 0 when there is none
      out.emplace_back(rest.substr(start));
      rest = rest.substr(0, start == 0 ? 0 : start - 1);
    }
  }
  return out;
}

}  // namespace

awaitable<result<live_state>> service::state(std::string player_id) {
  redis::request r;
  r.push("HGETALL", state_key(keys_, player_id));
  r.push("LRANGE", actions_key(keys_, player_id), 0, actions_limit_ - 1);
  r.push("HGETALL", move_key(keys_, player_id));
  auto replies = co_await redis_.exec(std::move(r));
  if (redis::is_wrong_type(replies[0])) co_return redis::damaged_key(state_key(keys_, player_id));
  // The state can be told without the other two.
  replies = redis::without_damaged(std::move(replies));
  std::map<std::string, std::string, std::less<>> f;
  for (auto& [name, value] : replies[0].as_pairs()) f.insert_or_assign(name, value);
  if (f.empty()) {
    std::vector<std::string> ids{player_id};
    const auto missing = co_await restore_live(std::move(ids));
    if (!missing.empty()) co_return unknown_player;
    co_return co_await state(std::move(player_id));
  }
  const auto number = [&](const char* name) { return parse_integer(f[name]).value_or(0); };
  live_state s{number("hp"),     number("mp"),           number("stamina"),
               f["interaction"], number("damage_dealt"), f["target"],
               f["updated_at"],  std::nullopt,           newest_lines(replies[1], actions_limit_)};
  if (const auto* ts = replies[2].find("ts"))
    s.where = position{replies[2].find("lat")->as_double().value_or(0),
                       replies[2].find("lon")->as_double().value_or(0),
                       replies[2].find("alt")->as_double().value_or(0), ts->as_string()};
  co_return s;
}

awaitable<result<live_state>> service::update_state(std::string player_id, state_change change) {
  std::vector<std::string> args{to_rfc3339(clock_.now()), std::to_string(profile_ttl.count())};
  const auto add = [&](const char* name, const std::optional<std::int64_t>& value) {
    if (!value) return;
    args.emplace_back(name);
    args.push_back(std::to_string(*value));
  };
  add("hp", change.hp);
  add("mp", change.mp);
  add("stamina", change.stamina);
  const auto key = state_key(keys_, player_id);
  const auto profile = keys_.key(profile_name(player_id));
  const std::string_view keys[] = {key, profile};
  const auto views = redis::views(args);
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto reply = co_await redis_.eval(update_state_script, keys, views);
    if (redis::is_wrong_type(reply)) co_return redis::damaged_key(key);
    if (redis::checked(std::move(reply)).as_bool()) co_return co_await state(player_id);
    std::vector<std::string> ids{player_id};
    const auto missing = co_await restore_live(std::move(ids));
    if (!missing.empty()) break;
  }
  co_return unknown_player;
}

awaitable<result<position>> service::live_position(std::string player_id) {
  auto s = co_await state(player_id);
  if (!s) co_return s.error();
  if (!s->where) co_return error{errc::not_found, "this player has no live position"};
  co_return *s->where;
}

awaitable<std::vector<std::string>> service::restore_live(std::vector<std::string> ids) {
  std::vector<profile> known;
  std::vector<std::string> missing;
  for (const auto& id : ids) {
    auto p = co_await load(id);
    if (p)
      known.push_back(std::move(*p));
    else
      missing.push_back(id);
  }
  if (!known.empty()) co_await create_live(known);
  co_return missing;
}

}  // namespace skirmish::players
