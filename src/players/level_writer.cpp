#include "players/level_writer.hpp"

#include "core/repeat.hpp"
#include "db/soci.hpp"
#include "players/players_keys.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/views.hpp"

namespace skirmish::players {
namespace {

const redis::script levels_written_script{
    "players/levels_written",
#include "players/levels_written.lua.inc"
};

}  // namespace

awaitable<void> level_writer::run() {
  repeat how{.interval = period, .failed = "levels_not_written", .level = log::level::warn};
  auto round = [this]() -> awaitable<void> {
    std::size_t written = batch_players;
    while (written == batch_players && redis_.connected()) written = co_await write_some();
  };
  return repeat_every(std::move(how), std::move(round));
}

awaitable<std::size_t> level_writer::write_some() {
  const auto key = levelled_key(keys_);
  const auto ids =
      redis::checked(co_await redis_.command("SRANDMEMBER", key, batch_players)).as_strings();
  if (ids.empty()) co_return 0;
  redis::request r;
  for (const auto& id : ids) r.push("HGET", state_key(keys_, id), "level");
  const auto levels = redis::without_damaged(co_await redis_.exec(std::move(r)));
  std::vector<std::string> args{keys_.prefix()};
  std::vector<std::pair<std::string, long long>> rows;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto level = levels[i].as_integer();
    args.push_back(ids[i]);
    args.push_back(std::to_string(level.value_or(0)));
    if (level) rows.emplace_back(ids[i], *level);
  }
  auto update = [rows, at = static_cast<long long>(clock_.now().time_since_epoch().count())](
                    soci::session& sql) {
    for (const auto& [id, level] : rows)
      sql << "UPDATE players SET level = :level, updated_at = :at WHERE player_id = :id AND level "
             "< "
             ":below",
          soci::use(level), soci::use(at), soci::use(id), soci::use(level);
  };
  co_await db_.transaction(std::move(update), db::retry::safe);
  const std::string_view keys[] = {key};
  const auto views = redis::views(args);
  redis::checked(co_await redis_.eval(levels_written_script, keys, views));
  co_return ids.size();
}

}  // namespace skirmish::players
