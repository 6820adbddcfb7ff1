// Boards as such: settings, seasons, and the end of both.
#include "core/cron.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "leaderboards/enum_names.hpp"
#include "leaderboards/leaderboards.hpp"
#include "leaderboards/leaderboards_keys.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/views.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace skirmish::leaderboards {
namespace {

using namespace std::chrono_literals;

const std::string board_lua =
#include "leaderboards/board.lua.inc"
    ;
const redis::script configure_script{"leaderboards_configure", board_lua +
#include "leaderboards/configure.lua.inc"
};
const redis::script close_script{"leaderboards_close_season", board_lua +
#include "leaderboards/close_season.lua.inc"
};
const redis::script delete_script{"leaderboards_delete", board_lua +
#include "leaderboards/delete.lua.inc"
};

constexpr auto closer_interval = 1s;
constexpr std::int64_t due_a_round = 100;

timestamp from_ms(std::int64_t ms) { return timestamp(std::chrono::milliseconds(ms)); }
std::string to_ms(std::optional<timestamp> t) {
  return t ? std::to_string(t->time_since_epoch().count()) : std::string();
}

// When the season that runs at `now` ends; nothing when never.
std::optional<timestamp> next_end(const std::string& reset, timestamp now) {
  if (reset.empty()) return std::nullopt;
  const auto schedule = cron::parse(reset);
  return schedule ? schedule->next_after(now) : std::nullopt;
}

}  // namespace

awaitable<result<board_info>> service::configure(std::string board, settings chosen) {
  if (!chosen.reset.empty()) {
    const auto schedule = cron::parse(chosen.reset);
    if (!schedule) co_return error{schedule.error().code, "reset: " + schedule.error().message};
  }
  auto keys = board_keys(keys_, board);
  keys.push_back(resets_key(keys_));
  keys.push_back(names_key(keys_));
  const auto next = to_ms(next_end(chosen.reset, clock_.now()));
  const auto kept = std::to_string(chosen.seasons_kept);
  const auto now = to_ms(clock_.now());
  const auto key_views = redis::views(keys);
  const std::vector<std::string_view> args{board,
                                           to_string(chosen.order),
                                           to_string(chosen.op),
                                           to_string(chosen.ranks),
                                           chosen.reset,
                                           next,
                                           kept,
                                           now};
  const auto reply = redis::checked(co_await redis_.eval(configure_script, key_views, args));
  if (reply.as_string() != "ok")
    co_return error{errc::conflict,
                    "a board with scores keeps its order, and cannot become or cease to be dense; "
                    "end its season first"};
  co_return co_await info_of(std::move(board), 0);
}

awaitable<board_info> service::info(std::string board) { return info_of(std::move(board), 0); }

awaitable<board_info> service::info_of(std::string board, std::int64_t season) {
  const auto keys = board_keys(keys_, board, season);
  const auto reply = redis::checked(co_await redis_.command("HGETALL", keys[6]));
  co_return info_from(reply);
}

board_info service::info_from(const redis::value& config) {
  board_info out;
  for (const auto& [name, text] : config.as_pairs()) {
    if (name == "order")
      out.chosen.order = from_name<ordering>(text, ordering_names).value_or(ordering::desc);
    if (name == "operator") {
      out.configured = true;
      out.chosen.op = from_name<operation>(text, operation_names).value_or(operation::best);
    }
    if (name == "rank_mode")
      out.chosen.ranks = from_name<rank_mode>(text, rank_mode_names).value_or(rank_mode::ordinal);
    if (name == "reset") out.chosen.reset = text;
    if (name == "seasons_kept") out.chosen.seasons_kept = parse_integer(text).value_or(100);
    if (name == "season") out.season = parse_integer(text).value_or(1);
    if (name == "next_reset") out.next_reset = from_ms(parse_integer(text).value_or(0));
  }
  return out;
}

awaitable<board_list> service::list(std::string behind, std::int64_t limit) {
  const auto from = behind.empty() ? std::string("-") : "(" + behind;
  const auto found = redis::checked(
      co_await redis_.command("ZRANGEBYLEX", names_key(keys_), from, "+", "LIMIT", 0, limit + 1));
  auto names = found.as_strings();
  for (const auto* own : {"active", "global", "kills"})
    if (behind < own) names.emplace_back(own);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  board_list out;
  out.more = static_cast<std::int64_t>(names.size()) > limit;
  if (out.more) names.resize(static_cast<std::size_t>(limit));
  if (names.empty()) co_return out;
  redis::request ask;
  for (const auto& name : names) {
    ask.push("HGETALL", board_keys(keys_, name)[6]);
    ask.push("ZCARD", board_key(keys_, name));
  }
  const auto replies = redis::without_damaged(co_await redis_.exec(std::move(ask)));
  for (std::size_t i = 0; i < names.size(); ++i)
    out.boards.push_back(
        {names[i], info_from(replies[2 * i]), replies[2 * i + 1].as_integer().value_or(0)});
  co_return out;
}

awaitable<std::int64_t> service::end_season(std::string board, const board_info& now) {
  auto keys = board_keys(keys_, board);
  keys.push_back(resets_key(keys_));
  keys.push_back(keys[0] + "@seasons");
  const auto expected = std::to_string(now.season);
  // A scheduled end is written down as the moment it was due, however late it is carried out.
  const bool is_due = now.next_reset && *now.next_reset <= clock_.now();
  const auto ended = to_ms(is_due ? *now.next_reset : clock_.now());
  const auto next = to_ms(next_end(now.chosen.reset, clock_.now()));
  const auto key_views = redis::views(keys);
  const std::vector<std::string_view> args{board, expected, ended, next};
  const auto reply = redis::checked(co_await redis_.eval(close_script, key_views, args));
  const auto season = reply.as_integer().value_or(1);
  log::info("leaderboard_season", {{"board", board}, {"season", season}});
  co_return season;
}

awaitable<std::int64_t> service::close_season(std::string board) {
  const auto now = co_await info_of(board, 0);
  co_return co_await end_season(std::move(board), now);
}

awaitable<std::size_t> service::close_due_seasons() {
  const auto due = redis::checked(co_await redis_.command(
      "ZRANGEBYSCORE", resets_key(keys_), "-inf", to_ms(clock_.now()), "LIMIT", 0, due_a_round));
  const auto boards = due.as_strings();
  for (const auto& board : boards) {
    const auto now = co_await info_of(board, 0);
    // Another server may have been quicker, or a submitted score.
    if (now.next_reset && *now.next_reset <= clock_.now()) co_await end_season(board, now);
  }
  co_return boards.size();
}

awaitable<void> service::run_closer() {
  repeat how{.interval = closer_interval, .failed = "leaderboard_closer_failed"};
  auto round = [this]() -> awaitable<void> { co_await close_due_seasons(); };
  return repeat_every(std::move(how), std::move(round));
}

awaitable<bool> service::delete_board(std::string board) {
  auto base = board_key(keys_, board);
  return delete_at(std::move(base), std::move(board));
}

awaitable<void> service::delete_level_board(std::string level_id) {
  auto base = level_board_key(keys_, level_id);
  co_await delete_at(std::move(base), "level:" + level_id);
}

awaitable<bool> service::delete_at(std::string base, std::string board) {
  auto keys = board_keys_at(base);
  keys.push_back(resets_key(keys_));
  keys.push_back(keys[0] + "@seasons");
  keys.push_back(names_key(keys_));
  const auto key_views = redis::views(keys);
  const std::vector<std::string_view> args{board};
  const auto reply = redis::checked(co_await redis_.eval(delete_script, key_views, args));
  co_return reply.as_bool();
}

awaitable<std::vector<closed_season>> service::closed_seasons(std::string board) {
  const auto reply =
      redis::checked(co_await redis_.command("HGETALL", board_key(keys_, board) + "@seasons"));
  std::vector<closed_season> out;
  for (const auto& [number, times] : reply.as_pairs()) {
    const auto space = times.find(' ');
    if (space == std::string::npos) continue;
    const std::string_view text = times;
    out.push_back({parse_integer(number).value_or(0),
                   from_ms(parse_integer(text.substr(0, space)).value_or(0)),
                   from_ms(parse_integer(text.substr(space + 1)).value_or(0))});
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.season > b.season; });
  co_return out;
}

}  // namespace skirmish::leaderboards
