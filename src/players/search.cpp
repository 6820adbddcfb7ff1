#include "players/search.hpp"

#include "core/ids.hpp"
#include "db/soci.hpp"
#include "players/players_keys.hpp"
#include "redis/damaged_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace skirmish::players {
namespace {

using by = search_place::by;

constexpr std::int64_t rows_per_read = 500;
constexpr std::string_view last_character = "\xF4\x8F\xBF\xBF";  // U+10FFFF

char letter_of(by order) {
  switch (order) {
    case by::id: return 'i';
    case by::name: return 'n';
    case by::email: return 'e';
  }
  return 'i';
}

std::optional<by> order_of(char letter) {
  for (const auto order : {by::id, by::name, by::email})
    if (letter_of(order) == letter) return order;
  return std::nullopt;
}

const char* column_of(by order) {
  switch (order) {
    case by::id: return "player_id";
    case by::name: return "name_folded";
    case by::email: return "email";
  }
  return "player_id";
}

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned byte = 0;
    const auto [end, problem] = std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    if (problem != std::errc() || end != hex.data() + i + 2) return std::nullopt;
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

}  // namespace

// In hex, because a name may hold anything.
std::string to_text(const search_place& p) {
  auto out = fmt::format("{}.", letter_of(p.order));
  for (const unsigned char c : p.value) out += fmt::format("{:02x}", c);
  return out + "." + p.player_id;
}

std::optional<search_place> parse_search_place(std::string_view text) {
  if (text.size() < 3 || text[1] != '.') return std::nullopt;
  const auto order = order_of(text[0]);
  const auto dot = text.find('.', 2);
  if (!order || dot == std::string_view::npos) return std::nullopt;
  const auto value = from_hex(text.substr(2, dot - 2));
  const auto id = text.substr(dot + 1);
  if (!value || !is_valid_id(id)) return std::nullopt;
  return search_place{*order, *value, std::string(id)};
}

struct searcher::row {
  found_player is;
  std::string name_folded;

  [[nodiscard]] const std::string& value(by order) const {
    if (order == by::id) return is.player_id;
    return order == by::name ? name_folded : is.email;
  }
};

awaitable<search_page> searcher::find(player_search s) {
  const bool only_online = s.is_online.value_or(false);
  if (s.query.empty() && only_online) co_return co_await find_online(std::move(s));
  co_return co_await find_by_text(std::move(s));
}

// The next rows in the order of one column, each with that column between `prefix` and `upper`.
awaitable<std::vector<searcher::row>> searcher::read(search_place behind, std::string prefix,
                                                     std::string upper, std::int64_t count) {
  auto select = [behind = std::move(behind), prefix = std::move(prefix), upper = std::move(upper),
                 count](soci::session& sql) {
    const auto from = std::max(behind.value, prefix);
    const long long most = count;
    const auto statement = fmt::format(
        "SELECT player_id, name, email, level, name_folded FROM players WHERE {0} >= :from AND "
        "{0} < :upper AND ({0} > :value OR player_id > :id) ORDER BY {0}, player_id LIMIT :most",
        column_of(behind.order));
    const soci::rowset<soci::row> rows =
        (sql.prepare << statement, soci::use(from), soci::use(upper), soci::use(from),
         soci::use(behind.player_id), soci::use(most));
    std::vector<row> out;
    for (const auto& r : rows) {
      row one;
      one.is.player_id = r.get<std::string>(0);
      one.is.name = r.get<std::string>(1);
      if (r.get_indicator(2) == soci::i_ok) one.is.email = r.get<std::string>(2);
      one.is.level = r.get<int>(3);
      one.name_folded = r.get<std::string>(4);
      out.push_back(std::move(one));
    }
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<void> searcher::mark_online(std::vector<row>& rows) {
  if (rows.empty()) co_return;
  redis::request ask;
  for (const auto& r : rows) {
    ask.push("EXISTS", move_key(keys_, r.is.player_id));
    ask.push("ZSCORE", present_players_key(keys_), r.is.player_id);
  }
  const auto replies = redis::without_damaged(co_await redis_.exec(std::move(ask)));
  const auto now = static_cast<double>(clock_.now().time_since_epoch().count());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool has_position = replies[2 * i].as_integer().value_or(0) > 0;
    const bool is_present = replies[2 * i + 1].as_double().value_or(0) > now;
    rows[i].is.is_online = has_position || is_present;
  }
}

awaitable<search_page> searcher::find_by_text(player_search s) {
  auto fold = [query = s.query](soci::session& sql) {
    std::string folded;
    sql << "SELECT LOWER(:query)", soci::use(query), soci::into(folded);
    return folded;
  };
  std::string folded;
  if (!s.query.empty()) folded = co_await db_.read(std::move(fold));
  const auto prefix = [&](by order) { return order == by::name ? folded : s.query; };
  // What an earlier order has shown already is left out of the later ones.
  const auto is_shown = [&](const row& r, by order) {
    return (order > by::id && r.is.player_id.starts_with(s.query)) ||
           (order > by::name && r.name_folded.starts_with(folded));
  };
  search_page out;
  auto place = s.behind.value_or(search_place{});
  std::int64_t left = rows_max;
  const auto limit = static_cast<std::size_t>(s.limit);
  while (true) {
    const auto count = std::min(rows_per_read, left);
    const auto start = prefix(place.order);
    auto rows = co_await read(place, start, start + std::string(last_character), count);
    co_await mark_online(rows);
    left -= static_cast<std::int64_t>(rows.size());
    for (auto& r : rows) {
      const bool is_wanted = !s.is_online || r.is.is_online == *s.is_online;
      if (is_wanted && !is_shown(r, place.order)) {
        if (out.players.size() == limit) {
          out.next = place;
          co_return out;
        }
        out.players.push_back(r.is);
      }
      place.value = r.value(place.order);
      place.player_id = r.is.player_id;
    }
    const bool is_end = static_cast<std::int64_t>(rows.size()) < count;
    if (is_end && (place.order == by::email || s.query.empty())) co_return out;
    if (is_end) place = search_place{place.order == by::id ? by::name : by::email, {}, {}};
    if (left > 0) continue;
    out.is_partial = true;
    out.next = place;
    co_return out;
  }
}

// Who is online is known to Redis: asked in the order of ids, whatever SQL holds.
awaitable<search_page> searcher::find_online(player_search s) {
  redis::request ask;
  ask.push("ZRANGE", keys_.key("positions"), 0, online_max - 1);
  ask.push("ZRANGEBYSCORE", present_players_key(keys_), clock_.now().time_since_epoch().count(),
           "+inf", "LIMIT", 0, online_max);
  const auto replies = redis::without_damaged(co_await redis_.exec(std::move(ask)));
  auto ids = replies[0].as_strings();
  auto present = replies[1].as_strings();
  search_page out;
  out.is_partial = static_cast<std::int64_t>(std::max(ids.size(), present.size())) == online_max;
  ids.insert(ids.end(), present.begin(), present.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  auto next = s.behind ? std::upper_bound(ids.begin(), ids.end(), s.behind->player_id) : ids.begin();
  const auto limit = static_cast<std::size_t>(s.limit);
  while (next != ids.end()) {
    const auto count = std::min<std::ptrdiff_t>(rows_per_read, ids.end() - next);
    const std::vector<std::string> some(next, next + count);
    next += count;
    auto select = [some](soci::session& sql) {
      std::vector<row> found;
      std::string id;
      row r;
      soci::indicator has_email = soci::i_null;
      long long level = 0;
      soci::statement one =
          (sql.prepare << "SELECT name, email, level FROM players WHERE player_id = :id",
           soci::use(id), soci::into(r.is.name), soci::into(r.is.email, has_email),
           soci::into(level));
      for (const auto& wanted : some) {
        id = wanted;
        if (!one.execute(true)) continue;
        r.is.player_id = wanted;
        r.is.level = level;
        found.push_back(r);
        if (has_email != soci::i_ok) found.back().is.email.clear();
      }
      return found;
    };
    auto rows = co_await db_.read(std::move(select));
    co_await mark_online(rows);
    for (const auto& r : rows) {
      if (!r.is.is_online) continue;
      if (out.players.size() == limit) {
        const auto& last = out.players.back().player_id;
        out.next = search_place{by::id, last, last};
        co_return out;
      }
      out.players.push_back(r.is);
    }
  }
  co_return out;
}

}  // namespace skirmish::players
