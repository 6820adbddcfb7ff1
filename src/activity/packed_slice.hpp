// A sealed slice: players and their interactions, packed.
//
// The text is a version byte and blocks. A block is its length in bytes and entries; it is read
// without the others, so a sweeper fetches and subtracts a few at a time. An entry is how many
// bytes its name shares with the one before it in the block, how many follow, these, and the count:
//
//   text   = 0x01 block*
//   block  = varint(bytes that follow) entry*            at most block_players entries
//   entry  = lengths name-bytes varint(count)
//   lengths = one byte, shared << 4 | rest               when both are below 16, but not 0xFF
//           | 0xFF, shared, rest                         a byte each
//   name   = the player's id, or 0x00 and 16 bytes for a UUID in lower case
//   varint = LEB128, unsigned
//
// Names are sorted within a run of many blocks, which makes neighbours alike; the order means
// nothing else. docs/activity-window.md has what this takes, measured, and the alternatives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::activity {

struct player_count {
  std::string player_id;
  std::int64_t count = 0;  // 1 or more
  bool operator==(const player_count&) const = default;
};

inline constexpr std::size_t block_players = 50;
inline constexpr std::size_t first_block_offset = 1;

class slice_packer {
 public:
  // Packs a run of players that are in no other run. The longer the run, the fewer bytes.
  void add(std::vector<player_count> run);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::size_t players() const noexcept { return players_; }

 private:
  std::string text_{'\x01'};
  std::size_t players_ = 0;
};

struct packed_block {
  std::vector<player_count> players;
  std::size_t bytes = 0;  // of the block in the text
};

// The block that `text` begins with; nothing when it is not all there. Throws failure{internal} for
// what is no block.
std::optional<packed_block> read_block(std::string_view text);

}  // namespace skirmish::activity
