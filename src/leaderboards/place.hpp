// An entry of `leaderboard:<board>@order`: 24 bytes that sort as the board ranks (board.lua writes
// them), then the player. And the cursors of pages, which are such entries in base64url.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::leaderboards {

inline constexpr std::size_t place_bytes = 24;

struct place {
  double score = 0;
  double subscore = 0;
  std::uint64_t seq = 0;
  std::string_view player_id;  // of the text it was read from
};

// What board.lua's sortable() makes of a score and a subscore, and of the sequence number.
std::string sortable_pair(double score, double subscore, bool best_is_high);
std::string sortable_seq(std::uint64_t seq);

// `text` has at least place_bytes bytes.
place read_place(std::string_view text, bool best_is_high);

// True when both have the same score and subscore.
bool is_tie(std::string_view a, std::string_view b);

enum class direction { after, before };
struct cursor {
  direction to = direction::after;
  std::string entry;
};
std::string to_text(const cursor& c);
std::optional<cursor> parse_cursor(std::string_view text);

}  // namespace skirmish::leaderboards
