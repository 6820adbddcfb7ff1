#include "levels/levels.hpp"

#include "cache/cache_keys.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "db/soci.hpp"
#include "levels/levels_keys.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/views.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace skirmish::levels {
namespace {

namespace json = boost::json;

const redis::script refresh_script{
    "levels/refresh",
// clang-format off: in this order
#include "redis/attempt.lua.inc"
#include "chat/deliver.lua.inc"
#include "levels/refresh.lua.inc"
    // clang-format on
};

const error unknown_level{errc::not_found, "there is no such level"};

constexpr const char* columns = "level_id, name, difficulty, description, created_at, version";

level from_row(const soci::row& row) {
  return {row.get<std::string>(0),
          row.get<std::string>(1),
          row.get<std::string>(2),
          row.get<std::string>(3),
          timestamp{std::chrono::milliseconds{row.get<long long>(4)}},
          row.get<long long>(5)};
}

std::optional<level> select_level(soci::session& sql, const std::string& level_id) {
  soci::row row;
  sql << "SELECT " << columns << " FROM levels WHERE level_id = :id", soci::use(level_id),
      soci::into(row);
  if (!sql.got_data()) return std::nullopt;
  return from_row(row);
}

std::string to_cached(const level& l) {
  return json_text_of(json::object{{"level_id", l.level_id},
                                   {"name", l.name},
                                   {"difficulty", l.difficulty},
                                   {"description", l.description},
                                   {"created_at", to_rfc3339(l.created_at)},
                                   {"version", l.version}});
}

// Nothing when the text is not what to_cached() makes.
std::optional<level> from_cached(const std::string& text) {
  error_code ec;
  const auto v = json::parse(text, ec);
  if (ec || !v.is_object()) return std::nullopt;
  const auto& o = v.get_object();
  const auto text_of = [&](const char* name) {
    const auto* member = o.if_contains(name);
    return member && member->is_string() ? std::string(member->get_string()) : std::string();
  };
  const auto created_at = parse_rfc3339(text_of("created_at"));
  const auto* version = o.if_contains("version");
  if (!created_at || !version || !version->is_int64()) return std::nullopt;
  return level{text_of("level_id"),    text_of("name"), text_of("difficulty"),
               text_of("description"), *created_at,     version->get_int64()};
}

// A level is dropped at each change, so it is never wrong for being old: fresh as long as it is
// there.
cache::policy level_policy(db::sql_kind kind) {
  cache::policy policy;
  policy.ttl = level_ttl;
  policy.load_timeout = db::cached_read_limit(kind);
  policy.wait_limit = policy.load_timeout;
  return policy;
}

}  // namespace

service::service(db::database& db, const db::reachability& sql, redis::client& redis,
                 cache::store& caches, const redis::key_space& keys, const clock& time)
    : db_(db),
      sql_(sql),
      redis_(redis),
      levels_(caches, "levels", level_policy(db.kind())),
      keys_(keys),
      clock_(time) {}

awaitable<std::optional<cache::content>> service::load_for_cache(std::string level_id) {
  auto select = [level_id](soci::session& sql) { return select_level(sql, level_id); };
  const auto found = co_await db_.read(std::move(select));
  if (!found) co_return std::nullopt;
  co_return to_cached(*found);
}

awaitable<result<level>> service::create(level l) {
  l.created_at = clock_.now();
  l.version = 1;
  auto insert = [l, at = l.created_at.time_since_epoch().count()](soci::session& sql) {
    if (select_level(sql, l.level_id)) return false;
    sql << "INSERT INTO levels (level_id, name, difficulty, description, created_at, updated_at) "
           "VALUES (:id, :name, :difficulty, :description, :at, :up)",
        soci::use(l.level_id), soci::use(l.name), soci::use(l.difficulty), soci::use(l.description),
        soci::use(at), soci::use(at);
    return true;
  };
  const bool inserted = co_await db_.transaction(std::move(insert));
  if (!inserted)
    co_return error{errc::already_exists, "there is a level " + l.level_id + " already"};
  redis::checked(co_await redis_.command("ZADD", popular_key(keys_), "NX", 0, l.level_id));
  auto text = to_cached(l);
  co_await levels_.set_cache(level_name(l.level_id), std::move(text));
  co_return l;
}

awaitable<result<std::pair<level, cache::source>>> service::get(std::string level_id) {
  const auto name = level_name(level_id);
  const auto load = [this, level_id] { return load_for_cache(level_id); };
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto found = co_await levels_.get_or_load(name, load);
    if (!found.value) co_return unknown_level;
    if (auto l = from_cached(found.text())) {
      const bool is_sure = found.from != cache::source::hit || sql_.ok();
      co_return std::pair{std::move(*l), is_sure ? found.from : cache::source::stale};
    }
    co_await levels_.invalidate_cache(name);
  }
  throw failure(errc::internal, "somebody keeps writing to " + name);
}

awaitable<result<level>> service::update(std::string level_id, level_change change,
                                         std::optional<std::int64_t> if_version) {
  auto write = [level_id, change, if_version,
                at = clock_.now().time_since_epoch().count()](soci::session& sql) -> result<level> {
    auto l = select_level(sql, level_id);
    if (!l) return unknown_level;
    if (if_version && *if_version != l->version)
      return error{errc::conflict,
                   fmt::format("the level has version {} now; read it again", l->version)};
    const auto old_version = l->version++;
    if (change.name) l->name = *change.name;
    if (change.difficulty) l->difficulty = *change.difficulty;
    if (change.description) l->description = *change.description;
    soci::statement st =
        (sql.prepare << "UPDATE levels SET name = :name, difficulty = :difficulty, "
                        "description = :description, updated_at = :at, version = :v "
                        "WHERE level_id = :id AND version = :old",
         soci::use(l->name), soci::use(l->difficulty), soci::use(l->description), soci::use(at),
         soci::use(l->version), soci::use(level_id), soci::use(old_version));
    st.execute(true);
    if (st.get_affected_rows() != 1)
      return error{errc::conflict, "the level has just been changed; read it again"};
    return *l;
  };
  auto written = co_await db_.transaction(std::move(write));
  if (written) co_await levels_.invalidate_cache(level_name(level_id));
  co_return written;
}

awaitable<result<void>> service::remove(std::string level_id) {
  auto erase = [level_id](soci::session& sql) {
    const bool found = select_level(sql, level_id).has_value();
    sql << "DELETE FROM levels WHERE level_id = :id", soci::use(level_id);
    return found;
  };
  const bool found = co_await db_.transaction(std::move(erase), db::retry::safe);
  // Also when it was not found: a removal that was cut short is completed by a repeat.
  co_await levels_.invalidate_cache(level_name(level_id));
  redis::checked(co_await redis_.command("ZREM", popular_key(keys_), level_id));
  redis::request forget;
  forget.push("SREM", cached_key(keys_), level_id);
  redis::without_damaged(co_await redis_.exec(std::move(forget)));
  if (removed_) co_await removed_(level_id);
  popularity_changed();  // another level takes its place
  if (!found) co_return unknown_level;
  co_return result<void>{};
}

awaitable<std::vector<level>> service::list(std::string after, std::int64_t limit) {
  auto select = [after, limit](soci::session& sql) {
    std::vector<level> out;
    const soci::rowset<soci::row> rows =
        (sql.prepare << "SELECT " << columns
                     << " FROM levels WHERE level_id > :after ORDER BY level_id LIMIT :limit",
         soci::use(after), soci::use(limit));
    for (const auto& row : rows) out.push_back(from_row(row));
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<std::vector<std::pair<level, std::int64_t>>> service::popular(std::int64_t limit) {
  const auto top = redis::checked(co_await redis_.command(
      "ZREVRANGEBYSCORE", popular_key(keys_), "+inf", 1, "WITHSCORES", "LIMIT", 0, limit));
  std::vector<std::pair<level, std::int64_t>> out;
  for (const auto& pair : top.elements()) {
    auto found = co_await get(pair[0].as_string());
    if (found)
      out.emplace_back(std::move(found->first),
                       static_cast<std::int64_t>(pair[1].as_double().value_or(0)));
  }
  co_return out;
}

awaitable<std::vector<std::string>> service::restore_popularity(std::vector<std::string> ids) {
  std::vector<std::string> missing;
  for (const auto& id : ids) {
    auto select = [id](soci::session& sql) { return select_level(sql, id).has_value(); };
    if (co_await db_.read(std::move(select)))
      redis::checked(co_await redis_.command("ZADD", popular_key(keys_), "NX", 0, id));
    else
      missing.push_back(id);
  }
  co_return missing;
}

awaitable<std::vector<level>> service::select_all(std::vector<std::string> ids) {
  auto select = [ids](soci::session& sql) {
    std::vector<level> out;
    for (const auto& id : ids)
      if (auto l = select_level(sql, id)) out.push_back(std::move(*l));
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<std::vector<std::string>> service::most_completed(std::int64_t count) {
  const auto found = redis::checked(co_await redis_.command("ZREVRANGEBYSCORE", popular_key(keys_),
                                                            "+inf", 1, "LIMIT", 0, count));
  co_return found.as_strings();
}

awaitable<bool> service::refresh_popular(std::int64_t count, std::string token,
                                         const game_settings& game) {
  constexpr int tries = 3;
  for (int left = tries; left > 0; --left) {
    refresh what{.count = count, .token = token, .needs_lease = true, .all_or_none = left > 1};
    what.ids = co_await most_completed(count);
    const auto outcome = co_await try_refresh(std::move(what), game);
    if (outcome != "again") co_return outcome == "done";
  }
  co_return false;
}

awaitable<bool> service::cache_entrants(std::int64_t count, const game_settings& game) {
  const auto ids = co_await most_completed(count);
  if (ids.empty()) co_return true;
  redis::request ask;
  std::vector<std::string> command{cached_key(keys_)};
  command.insert(command.end(), ids.begin(), ids.end());
  ask.push_range("SMISMEMBER", command);
  const auto replies = co_await redis_.exec(std::move(ask));
  // What else may stand under the key is replaced by the refresh.
  const auto is_known = redis::without_damaged(replies).at(0);
  refresh what{.count = count, .token = random_hex(8)};
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (i >= is_known.size() || !is_known[i].as_bool()) what.ids.push_back(ids[i]);
  if (what.ids.empty()) co_return true;
  const auto outcome = co_await try_refresh(std::move(what), game);
  co_return outcome == "done";
}

awaitable<std::string> service::try_refresh(refresh what, const game_settings& game) {
  if (!what.ids.empty()) co_await claim(what.ids, what.token);
  const auto levels = co_await select_all(std::move(what.ids));
  std::vector<std::string> args{what.token,
                                keys_.prefix(),
                                to_rfc3339(clock_.now()),
                                std::to_string(game.chat_history_limit),
                                std::to_string(game.chat_history_ttl.count()),
                                std::to_string(popular_ttl.count()),
                                std::to_string(what.count),
                                what.needs_lease ? "1" : "0",
                                what.all_or_none ? "1" : "0"};
  for (const auto& l : levels) {
    args.push_back(l.level_id);
    args.push_back(l.name);
    args.push_back(to_cached(l));
  }
  const auto lease = popular_lease_key(keys_);
  const std::string_view keys[] = {lease};
  const auto views = redis::views(args);
  const auto outcome = redis::checked(co_await redis_.eval(refresh_script, keys, views));
  co_return outcome.as_string();
}

// Who loads a value for the cache first puts a token where an invalidation deletes it
// (docs/cache.md).
awaitable<void> service::claim(std::vector<std::string> ids, std::string token) {
  const auto lifetime = db::cached_read_limit(db_.kind()) + std::chrono::seconds{1};
  redis::request r;
  for (const auto& id : ids)
    r.push("SET", cache_keys::load(keys_, level_name(id)), token, "PX", lifetime.count());
  auto replies = co_await redis_.exec(std::move(r));
  redis::checked(std::move(replies));
}

}  // namespace skirmish::levels
