// Players by the beginning of their id, name or e-mail address, and who of them is online.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "db/database.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::players {

struct found_player {
  std::string player_id;
  std::string name;
  std::string email;
  std::int64_t level = 1;
  bool is_online = false;  // has a live position, or is (or was within a minute) on a chat channel
};

// Behind a player of the list: those whose id matches come first, in the order of ids, then those
// whose name does, in the order of names, then those whose e-mail address does.
struct search_place {
  enum class by { id, name, email };
  by order = by::id;
  std::string value;      // of what it is ordered by
  std::string player_id;  // empty, as the value: before the first of that order
  bool operator==(const search_place&) const = default;
};
std::string to_text(const search_place& p);
// nullopt for a text that is none.
std::optional<search_place> parse_search_place(std::string_view text);

struct player_search {
  std::string query;  // ids and e-mail addresses as they are written, names in any case; empty: all
  std::optional<bool> is_online;  // only those
  std::optional<search_place> behind;
  std::int64_t limit = 50;
};

struct search_page {
  std::vector<found_player> players;
  std::optional<search_place> next;  // nullopt at the end
  bool is_partial = false;           // it stopped early: there may be more on this page's part
};

class searcher {
 public:
  // Rows that one search reads from SQL, and players who are online that it looks at.
  static constexpr std::int64_t rows_max = 5'000;
  static constexpr std::int64_t online_max = 10'000;

  searcher(db::database& db, redis::client& redis, const redis::key_space& keys, const clock& time)
      : db_(db), redis_(redis), keys_(keys), clock_(time) {}

  awaitable<search_page> find(player_search s);

 private:
  struct row;
  awaitable<search_page> find_by_text(player_search s);
  awaitable<search_page> find_online(player_search s);
  awaitable<std::vector<row>> read(search_place behind, std::string prefix, std::string upper,
                                   std::int64_t count);
  awaitable<void> mark_online(std::vector<row>& rows);

  db::database& db_;
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
};

}  // namespace skirmish::players
