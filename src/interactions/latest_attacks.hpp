// The latest attack of each pair in texts of pending attack records.
//
// A text is what one commit leaves pending in one part (attack_records.hpp). It begins with a line
// of its own, when the commit was made in ms since 1970. Then comes a line for each record:
// '<pair> <damage> <ts> <id>', the pair as in its key (interactions_keys.hpp).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::interactions {

// Views of the text it was read from.
struct attack_line {
  std::string_view pair;
  std::string_view damage;
  std::string_view ts;
  std::string_view id;
  std::int64_t committed_ms = 0;
};

class latest_attacks {
 public:
  // Adds the records of a text, which must live as long as this; those added later win. False when
  // it cannot be read to its end; what could be is added.
  bool add(std::string_view text);

  // In the order in which the pairs came first.
  [[nodiscard]] const std::vector<attack_line>& records() const noexcept { return records_; }

 private:
  std::vector<attack_line> records_;
  boost::unordered_flat_map<std::string_view, std::size_t> index_;  // pair → records_
};

}  // namespace skirmish::interactions
