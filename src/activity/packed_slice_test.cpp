#include "activity/packed_slice.hpp"

#include "core/error.hpp"
#include "core/ids.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace skirmish::activity {
namespace {

using counts = std::map<std::string, std::int64_t>;

slice_packer pack(const counts& all, std::size_t run_players = 8'000) {
  slice_packer out;
  std::vector<player_count> run;
  for (const auto& [player, count] : all) {
    run.push_back({player, count});
    if (run.size() < run_players) continue;
    out.add(std::move(run));
    run = {};
  }
  out.add(std::move(run));
  return out;
}

counts unpack(std::string_view text) {
  counts out;
  EXPECT_EQ(text.at(0), '\x01');
  text.remove_prefix(first_block_offset);
  while (!text.empty()) {
    const auto block = read_block(text);
    if (!block) throw std::runtime_error("the text is cut off");
    EXPECT_LE(block->players.size(), block_players);
    for (const auto& p : block->players) EXPECT_TRUE(out.emplace(p.player_id, p.count).second);
    text.remove_prefix(block->bytes);
  }
  return out;
}

TEST(packed_slice, an_empty_one_has_no_blocks) {
  EXPECT_EQ(pack({}).text().size(), first_block_offset);
  EXPECT_EQ(pack({}).players(), 0U);
}

TEST(packed_slice, keeps_every_name_and_count) {
  const std::string longest(id_max_bytes, 'x');
  const counts all{{"a", 1},
                   {"ann", 127},
                   {"ann.smith", 128},
                   {longest, 16'384},
                   {longest.substr(1) + "y", INT64_MAX},
                   {"0", 7},
                   {"fifteen-letters", 1},
                   {"fifteen-letters-and-fifteen-mor", 2},
                   {"fifteen-letters-and-fifteen-more", 3},
                   {"123e4567-e89b-12d3-a456-426614174000", 4},
                   {"123e4567-e89b-12d3-a456-426614174001", 5},
                   {"123E4567-e89b-12d3-a456-426614174000", 6},
                   {"123e4567-e89b-12d3-a456_426614174000", 8},
                   {"123e4567ae89b-12d3-a456-426614174000", 9}};
  const auto packed = pack(all);
  EXPECT_EQ(packed.players(), all.size());
  EXPECT_EQ(unpack(packed.text()), all);
}

TEST(packed_slice, keeps_random_ones_in_runs_of_any_length) {
  std::mt19937_64 dice(7);
  static constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
  for (int round = 0; round < 50; ++round) {
    counts all;
    const auto different = 2 + dice() % (letters.size() - 2);
    for (auto left = dice() % 1'000; left > 0; --left) {
      std::string name(1 + dice() % id_max_bytes, ' ');
      for (auto& c : name) c = letters[dice() % different];
      all[dice() % 4 == 0 ? random_uuid() : name] =
          static_cast<std::int64_t>(1 + dice() % (1ULL << (dice() % 60)));
    }
    EXPECT_EQ(unpack(pack(all, 1 + dice() % 400).text()), all);
  }
}

// 6,000 of 100,000 players: a slice of a busy minute.
TEST(packed_slice, takes_few_bytes) {
  std::mt19937_64 dice(1);
  counts numbered;
  counts uuids;
  while (numbered.size() < 6'000) numbered[fmt::format("player{:06}", dice() % 100'000)] = 2;
  while (uuids.size() < 6'000) uuids[random_uuid()] = 2;
  EXPECT_LT(pack(numbered).text().size(), 6'000 * 5);
  EXPECT_LT(pack(uuids).text().size(), 6'000 * 18);
}

TEST(packed_slice, a_block_that_is_cut_off_is_no_block) {
  const auto packed = pack({{"ann", 300}, {"bob", 2}, {random_uuid(), 1}}).text();
  const std::string_view block = std::string_view(packed).substr(first_block_offset);
  for (std::size_t size = 0; size < block.size(); ++size)
    EXPECT_FALSE(read_block(block.substr(0, size)).has_value()) << size;
  EXPECT_TRUE(read_block(block).has_value());
}

TEST(packed_slice, refuses_damage_and_survives_noise) {
  using namespace std::string_literals;
  for (const auto& text : {"\x04\x13xyz"s, "\x02\x01x"s, "\x03\x01x\x80"s, "\x03\x01 \x01"s,
                           "\x05\x03\0ab\x01"s, "\xff\xff\xff\x7f"s, std::string(10, '\xff')})
    EXPECT_THROW(read_block(text), failure) << text;
  std::mt19937_64 dice(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(dice() % 60, ' ');
    for (auto& c : noise) c = static_cast<char>(dice());
    try {
      const auto block = read_block(noise);
      EXPECT_LE(block ? block->bytes : 0, noise.size());
    } catch (const failure&) {
    }
  }
}

}  // namespace
}  // namespace skirmish::activity
