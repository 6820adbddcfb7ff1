#include "players/notes.hpp"

#include "core/parse.hpp"
#include "db/soci.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

namespace skirmish::players {
namespace {

const error unknown_player{errc::not_found, "there is no such player"};

struct place_in_list {
  std::int64_t at_ms = 0;
  std::string note_id;
};

std::optional<place_in_list> parse_cursor(std::string_view text) {
  const auto dot = text.find('-');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto at = parse_integer(text.substr(0, dot));
  if (!at || *at < 0) return std::nullopt;
  return place_in_list{*at, std::string(text.substr(dot + 1))};
}

bool is_known(soci::session& sql, const std::string& player_id) {
  int found = 0;
  sql << "SELECT COUNT(*) FROM players WHERE player_id = :id", soci::use(player_id),
      soci::into(found);
  return found != 0;
}

note read_row(const soci::row& row, const std::string& player_id) {
  note n;
  n.player_id = player_id;
  n.note_id = row.get<std::string>(0);
  n.author = row.get<std::string>(1);
  n.created_at = timestamp{std::chrono::milliseconds{row.get<long long>(2)}};
  n.text = row.get<std::string>(3);
  if (row.get_indicator(4) == soci::i_ok) n.label = row.get<std::string>(4);
  return n;
}

constexpr std::string_view select_notes =
    "SELECT n.note_id, n.author, n.created_at, n.text, k.label FROM player_notes n LEFT JOIN "
    "api_keys k ON k.key_id = n.author WHERE n.player_id = :player AND ";

std::optional<note> find(soci::session& sql, const std::string& player_id,
                         const std::string& note_id) {
  const soci::rowset<soci::row> rows = (sql.prepare << select_notes << "n.note_id = :note",
                                        soci::use(player_id), soci::use(note_id));
  for (const auto& row : rows) return read_row(row, player_id);
  return std::nullopt;
}

void insert(soci::session& sql, const note& n, long long at) {
  sql << "INSERT INTO player_notes (player_id, note_id, author, created_at, text) VALUES (:player, "
         ":note, :author, :at, :text)",
      soci::use(n.player_id), soci::use(n.note_id), soci::use(n.author), soci::use(at),
      soci::use(n.text);
}

}  // namespace

std::string note_book::cursor_of(const note& n) {
  return fmt::format("{}-{}", n.created_at.time_since_epoch().count(), n.note_id);
}

awaitable<result<note_book::page>> note_book::list(std::string player_id, std::string before,
                                                   std::int64_t limit) {
  std::optional<place_in_list> from;
  if (!before.empty()) {
    from = parse_cursor(before);
    if (!from)
      co_return error{errc::invalid_argument, "cursor must be one that this list returned"};
  }
  auto select = [player_id, from, limit](soci::session& sql) -> result<page> {
    if (!is_known(sql, player_id)) return unknown_player;
    page out;
    const long long at = from ? from->at_ms : INT64_MAX;
    const std::string id = from ? from->note_id : std::string();
    const long long rows_max = limit + 1;
    const soci::rowset<soci::row> rows =
        (sql.prepare << select_notes
                     << "(n.created_at < :at OR (n.created_at = :same AND n.note_id < :id)) ORDER "
                        "BY n.created_at DESC, n.note_id DESC LIMIT :most",
         soci::use(player_id), soci::use(at), soci::use(at), soci::use(id), soci::use(rows_max));
    for (const auto& row : rows) {
      out.more = static_cast<std::int64_t>(out.items.size()) == limit;
      if (out.more) break;
      out.items.push_back(read_row(row, player_id));
    }
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<result<note>> note_book::add(note n) {
  n.created_at = clock_.now();
  auto write = [n, at = static_cast<long long>(n.created_at.time_since_epoch().count())](
                   soci::session& sql) -> result<note> {
    if (!is_known(sql, n.player_id)) return unknown_player;
    if (auto old = find(sql, n.player_id, n.note_id)) {
      if (old->text == n.text && old->author == n.author) return *old;
      return error{errc::conflict, "this Idempotency-Key was sent with another note"};
    }
    long long count = 0;
    sql << "SELECT COUNT(*) FROM player_notes WHERE player_id = :id", soci::use(n.player_id),
        soci::into(count);
    if (count >= notes_max)
      return error{errc::conflict, "a player has at most 200 notes; delete one first"};
    insert(sql, n, at);
    return *find(sql, n.player_id, n.note_id);
  };
  // Again after a loss: what was written then is found by its id.
  co_return co_await db_.transaction(std::move(write), db::retry::safe);
}

awaitable<result<void>> note_book::remove(std::string player_id, std::string note_id) {
  auto erase = [player_id, note_id](soci::session& sql) {
    const bool found = find(sql, player_id, note_id).has_value();
    sql << "DELETE FROM player_notes WHERE player_id = :player AND note_id = :note",
        soci::use(player_id), soci::use(note_id);
    return found;
  };
  const bool found = co_await db_.transaction(std::move(erase), db::retry::safe);
  if (!found) co_return error{errc::not_found, "this player has no such note"};
  co_return result<void>{};
}

}  // namespace skirmish::players
