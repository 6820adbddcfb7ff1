// The live view of a simulation as text that fits a terminal. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::cli {

struct screen_size {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

struct screen_section {
  std::string title;
  std::vector<std::string> lines;
  // When there is no room the last lines go, or the first ones when the newest are at the end.
  bool newest_last = false;
};

// `text` in at most `columns` cells; what is left out shows as "…". Counts East Asian characters
// and emoji as two cells.
std::string cut_to(std::string_view text, std::size_t columns);

// The notes, then the sections, each with a fair share of the rows; every line ends with a newline.
std::string to_screen(const std::vector<std::string>& notes,
                      const std::vector<screen_section>& sections, screen_size size);

}  // namespace skirmish::cli
