// Reading boards. Every reading script first puts some moved players in their places; when many are
// left, the reader helps for a bounded while, and it looks for players who moved untold: both at
// most ten times per second per thread and board.
#include "leaderboards/leaderboards.hpp"

#include "core/parse.hpp"
#include "leaderboards/enum_names.hpp"
#include "leaderboards/leaderboards_keys.hpp"
#include "levels/levels.hpp"
#include "redis/views.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace skirmish::leaderboards {
namespace {

using namespace std::chrono_literals;

const std::string board_lua =
#include "leaderboards/board.lua.inc"
    ;
const redis::script read_script{"leaderboards_read", board_lua +
#include "leaderboards/read.lua.inc"
};
const redis::script ranks_script{"leaderboards_ranks", board_lua +
#include "leaderboards/ranks.lua.inc"
};
const redis::script place_script{"leaderboards_place", board_lua +
#include "leaderboards/place.lua.inc"
};
const redis::script compare_script{"leaderboards_compare", board_lua +
#include "leaderboards/compare.lua.inc"
};

// Players placed a script: about half a millisecond of Redis' time, for others wait meanwhile.
constexpr std::int64_t place_players = 50;
const std::string place_limit = std::to_string(place_players);
constexpr int help_steps = 20;
constexpr auto help_interval = 100ms;
constexpr std::size_t remembered_boards = 1'000;
constexpr std::size_t ids_a_script = 100;

entry to_entry(std::string_view member, bool best_is_high, std::int64_t rank,
               const std::string* metadata) {
  const auto at = read_place(member, best_is_high);
  return {rank, std::string(at.player_id), at.score, at.subscore,
          metadata ? *metadata : std::string()};
}

}  // namespace

// Entries that stand together, as read.lua returns them.
struct service::slice {
  std::int64_t behind = 0;
  std::int64_t version = 0;
  std::int64_t total = 0;
  std::int64_t placed = 0;
  std::int64_t position = -1;  // of the first
  std::int64_t rank = 0;
  std::vector<std::string> members;
  std::vector<std::string> metadata;  // of each, or of none
  bool best_is_high = true;
  rank_mode mode = rank_mode::ordinal;
  bool exact = false;  // whatever is behind

  [[nodiscard]] bool settled() const noexcept { return behind == 0 || exact; }
  // Takes the entries [first, first + limit) from the parts of the top that read.lua tells. False
  // when somebody moved untold.
  bool take_top(const redis::value& parts, std::size_t first, std::size_t limit);
  // Takes a reply of read.lua but for the top.
  void take(const redis::value& r);
  [[nodiscard]] std::int64_t rank_in(std::span<const std::pair<std::string, std::size_t>> top,
                                     std::size_t position) const;
  [[nodiscard]] std::vector<entry> entries() const;
  [[nodiscard]] std::string cursor_at(direction to) const;
  [[nodiscard]] board_page page() const {
    return {entries(),
            cursor_at(direction::after),
            cursor_at(direction::before),
            total,
            version,
            settled(),
            behind};
  }
};

std::vector<entry> service::slice::entries() const {
  std::vector<entry> out;
  out.reserve(members.size());
  auto current = rank;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const bool tied = i > 0 && is_tie(members[i - 1], members[i]);
    if (mode == rank_mode::ordinal && i > 0) ++current;
    if (mode == rank_mode::dense && i > 0 && !tied) ++current;
    if (mode == rank_mode::competition && i > 0 && !tied)
      current = position + static_cast<std::int64_t>(i) + 1;
    const auto* note = i < metadata.size() ? &metadata[i] : nullptr;
    out.push_back(to_entry(members[i], best_is_high, current, note));
  }
  return out;
}

void service::slice::take(const redis::value& r) {
  behind = r[0].as_integer().value_or(0);
  version = r[1].as_integer().value_or(0);
  total = r[2].as_integer().value_or(0);
  placed = r[3].as_integer().value_or(0);
  position = r[4].as_integer().value_or(-1);
  rank = r[5].as_integer().value_or(0);
  members = r[6].as_strings();
  metadata = r[7].as_strings();
  best_is_high = r[8].as_string() != "asc";
  mode = from_name<rank_mode>(r[9].as_string(), rank_mode_names).value_or(rank_mode::ordinal);
}

bool service::slice::take_top(const redis::value& parts, std::size_t first, std::size_t limit) {
  const auto players = parts[0].as_strings();
  std::vector<std::pair<std::string, std::size_t>> top;  // entry of @order, index in the parts
  for (std::size_t i = 0; i < players.size(); ++i) {
    const auto sub = i < parts[2].size() ? parts[2][i].as_double().value_or(0) : 0;
    auto member = sortable_pair(parts[1][i].as_double().value_or(0), sub, best_is_high);
    const auto& change = parts[3][i];
    const auto& at = parts[4][i].as_string();
    if (!change.is_nil())
      member += sortable_seq(static_cast<std::uint64_t>(change.as_integer().value_or(0)));
    else if (at.starts_with(member))
      member = at;
    else
      return false;
    top.emplace_back(member + players[i], i);
  }
  std::ranges::sort(top);
  placed = total;
  if (first >= top.size()) return true;
  position = static_cast<std::int64_t>(first);
  rank = rank_in(top, first);
  for (auto i = first; i < std::min(first + limit, top.size()); ++i) {
    members.push_back(top[i].first);
    if (parts[5].size() > 0) metadata.push_back(parts[5][top[i].second].as_string());
  }
  return true;
}

// Of the entry at `position`, among all before it.
std::int64_t service::slice::rank_in(std::span<const std::pair<std::string, std::size_t>> top,
                                     std::size_t position) const {
  if (mode == rank_mode::ordinal) return static_cast<std::int64_t>(position) + 1;
  std::int64_t better = 0;
  std::int64_t steps = 0;
  for (std::size_t i = 0; i < position && !is_tie(top[i].first, top[position].first); ++i) {
    if (i == 0 || !is_tie(top[i].first, top[i - 1].first)) ++steps;
    ++better;
  }
  return (mode == rank_mode::dense ? steps : better) + 1;
}

std::string service::slice::cursor_at(direction to) const {
  if (members.empty()) return {};
  const auto end = position + static_cast<std::int64_t>(members.size());
  if (to == direction::before)
    return position > 0 ? to_text({direction::before, members.front()}) : std::string();
  return end < placed ? to_text({direction::after, members.back()}) : std::string();
}

awaitable<service::slice> service::read_once(const std::vector<std::string>& keys,
                                             std::int64_t limit, std::string_view from,
                                             const std::string& where, bool search_untold) {
  const auto count = std::to_string(limit);
  const auto key_views = redis::views(keys);
  std::vector<std::string_view> args{place_limit, count, from, where, search_untold ? "1" : "0",
                                     "1"};
  auto r = redis::checked(co_await redis_.eval(read_script, key_views, args));
  slice s;
  s.take(r);
  if (r[10].size() == 0) co_return s;
  const auto first = static_cast<std::size_t>(parse_integer(where).value_or(0));
  s.exact = s.take_top(r[10], first, static_cast<std::size_t>(limit));
  if (s.exact) co_return s;
  args.back() = "0";
  r = redis::checked(co_await redis_.eval(read_script, key_views, args));
  s.take(r);
  co_return s;
}

bool service::is_time(times& last, const std::string& key) {
  const auto now = std::chrono::steady_clock::now();
  if (last.size() >= remembered_boards) last.clear();
  const auto [at, is_new] = last.try_emplace(key, now);
  if (!is_new && now - at->second < help_interval) return false;
  at->second = now;
  return true;
}

awaitable<service::slice> service::read(std::string board, std::int64_t season, std::int64_t limit,
                                        std::string_view from, std::string where) {
  const auto keys = board_keys(keys_, board, season);
  const bool search = is_time(searched_, keys[0]);
  auto s = co_await read_once(keys, limit, from, where, search);
  const bool in_step = s.behind == 0 ? s.total == s.placed : s.exact;
  if (in_step || !is_time(helped_, keys[0])) co_return s;
  if (s.behind > 0)
    co_await place_some(keys, help_steps);
  else
    co_await reindex(std::move(board), season);
  co_return co_await read_once(keys, limit, from, where, false);
}

awaitable<void> service::place_some(const std::vector<std::string>& keys, int steps) {
  const auto key_views = redis::views(keys);
  const std::vector<std::string_view> args{place_limit};
  for (int i = 0; i < steps; ++i) {
    const auto left = redis::checked(co_await redis_.eval(place_script, key_views, args));
    if (left.as_integer().value_or(0) == 0) co_return;
  }
}

awaitable<void> service::catch_up(std::string board) {
  const auto keys = board_keys(keys_, board);
  // A board under steady change may never be done: as many steps as it can have players.
  const auto count = redis::checked(co_await redis_.command("HLEN", keys[3]));
  const auto steps = count.as_integer().value_or(0) / place_players + 1;
  co_await place_some(keys, static_cast<int>(std::min<std::int64_t>(steps, 1'000'000)));
}

awaitable<void> service::reindex(std::string board, std::int64_t season) {
  const auto keys = board_keys(keys_, board, season);
  if (!reindexing_.insert(keys[0]).second) co_return;  // this thread already does it
  struct ending {
    std::set<std::string>& all;
    const std::string& mine;
    ~ending() { all.erase(mine); }
  } const ended{reindexing_, keys[0]};
  const auto key_views = redis::views(keys);
  for (const std::string_view walked : {"board", "entries"}) {
    std::string position = "0";
    do {
      const std::vector<std::string_view> args{position, walked};
      const auto next = redis::checked(co_await redis_.eval(compare_script, key_views, args));
      position = next.as_string();
      co_await place_some(keys, 10);
    } while (position != "0");
  }
}

awaitable<board_page> service::page(std::string board, std::int64_t first, std::int64_t limit,
                                    std::int64_t season) {
  const auto s = co_await read(std::move(board), season, limit, "at", std::to_string(first - 1));
  co_return s.page();
}

awaitable<board_page> service::page_at(std::string board, cursor from, std::int64_t limit,
                                       std::int64_t season) {
  const std::string_view way = from.to == direction::after ? "after" : "before";
  const auto s = co_await read(std::move(board), season, limit, way, std::move(from.entry));
  co_return s.page();
}

awaitable<result<std::vector<entry>>> service::around(std::string board, std::string player_id,
                                                      std::int64_t around, std::int64_t season) {
  const auto s = co_await read(std::move(board), season, around, "around", std::move(player_id));
  if (s.members.empty()) co_return error{errc::not_found, "this player has no score on this board"};
  co_return s.entries();
}

awaitable<std::vector<entry>> service::ranks(std::string board, std::vector<std::string> ids,
                                             std::int64_t season) {
  const auto keys = board_keys(keys_, board, season);
  const auto key_views = redis::views(keys);
  std::vector<entry> out;
  for (std::size_t first = 0; first < ids.size(); first += ids_a_script) {
    const auto last = std::min(first + ids_a_script, ids.size());
    std::vector<std::string_view> args{place_limit};
    args.insert(args.end(), ids.begin() + static_cast<std::ptrdiff_t>(first),
                ids.begin() + static_cast<std::ptrdiff_t>(last));
    const auto reply = redis::checked(co_await redis_.eval(ranks_script, key_views, args));
    const bool best_is_high = reply[1].as_string() != "asc";
    for (std::size_t i = 2; i < reply.size(); ++i) {
      const auto& found = reply[i];
      if (found.size() < 2) continue;
      const auto* note = found.size() > 2 ? &found[2].as_string() : nullptr;
      out.push_back(
          to_entry(found[0].as_string(), best_is_high, found[1].as_integer().value_or(0), note));
    }
  }
  co_return out;
}

awaitable<bool> service::exists(std::string board) {
  if (board == "active" || board == "global") co_return true;
  constexpr std::string_view of_level = "level:";
  const auto keys = board_keys(keys_, board);
  redis::request ask;
  ask.push_range("EXISTS", keys);
  if (board.starts_with(of_level))
    ask.push("ZSCORE", levels::popular_key(keys_), board.substr(of_level.size()));
  const auto replies = redis::checked(co_await redis_.exec(std::move(ask)));
  co_return replies[0].as_integer().value_or(0) > 0 || (replies.size() > 1 && !replies[1].is_nil());
}

awaitable<std::vector<std::int64_t>> service::versions(std::vector<std::string> boards) {
  std::vector<std::int64_t> out;
  if (boards.empty()) co_return out;
  std::vector<std::string> names;
  for (const auto& board : boards) names.push_back(board_key(keys_, board) + "@seq");
  redis::request get;
  get.push_range("MGET", names);
  const auto replies = redis::checked(co_await redis_.exec(std::move(get)));
  for (const auto& n : replies.at(0).elements()) out.push_back(n.as_integer().value_or(0));
  co_return out;
}

}  // namespace skirmish::leaderboards
