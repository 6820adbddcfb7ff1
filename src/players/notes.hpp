// What operators note about a player, for other operators. In SQL; gone with the player.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "db/database.hpp"
#include "http/router.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace skirmish::players {

struct note {
  std::string player_id;
  std::string note_id;
  std::string author;  // the id of an API key
  std::string label;   // of that key; empty when it is gone
  timestamp created_at;
  std::string text;
};

class note_book {
 public:
  static constexpr std::size_t text_max_chars = 2'000;
  static constexpr std::int64_t notes_max = 200;  // of a player

  note_book(db::database& db, const clock& time) : db_(db), clock_(time) {}

  struct page {
    std::vector<note> items;  // the newest first
    bool more = false;
  };
  // Those older than `before`, a cursor (cursor_of); empty: from the newest on. not_found when
  // there is no such player, invalid_argument for a bad cursor.
  awaitable<result<page>> list(std::string player_id, std::string before, std::int64_t limit);
  static std::string cursor_of(const note& n);

  // Writes a note whose created_at is decided here; once, however often it is sent. not_found when
  // there is no such player, conflict when the player has notes_max of them or another note of
  // this id.
  awaitable<result<note>> add(note n);
  awaitable<result<void>> remove(std::string player_id, std::string note_id);

  // /api/players/{id}/notes
  void add_to(http::router& routes);

 private:
  awaitable<http::response> answer_list(http::exchange& x);
  awaitable<http::response> answer_add(http::exchange& x);
  awaitable<http::response> answer_remove(http::exchange& x);

  db::database& db_;
  const clock& clock_;
};

}  // namespace skirmish::players
