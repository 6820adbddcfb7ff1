#include "simulation/demo_screen.hpp"

#include <algorithm>
#include <cstdint>

namespace skirmish::cli {
namespace {

struct character {
  std::size_t bytes;
  std::size_t cells;
};

// The character at the start of `text`, which is not empty. What is no UTF-8 counts byte by byte.
character first_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t wanted = lead < 0xC0 || lead >= 0xF8 ? 1
                             : lead < 0xE0               ? 2
                             : lead < 0xF0               ? 3
                                                         : 4;
  const auto is_following = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  const auto following = text.substr(1, wanted - 1);
  const bool is_whole = following.size() == wanted - 1 &&
                        std::all_of(following.begin(), following.end(), is_following);
  const auto bytes = is_whole ? wanted : 1;
  std::uint32_t code = bytes == 1 ? lead : lead & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i)
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  const bool is_joined = code >= 0x300 && code < 0x370;
  const bool is_wide = (code >= 0x1100 && code < 0x1160) || (code >= 0x2E80 && code < 0xA4D0) ||
                       (code >= 0xAC00 && code < 0xD7A4) || (code >= 0xFF00 && code < 0xFF61) ||
                       code >= 0x1F300;
  return {bytes, is_joined ? 0U : is_wide ? 2U : 1U};
}

// How many lines each section shows: all when there is room, else as even as it goes.
std::vector<std::size_t> share(const std::vector<screen_section>& sections, std::size_t rows) {
  std::vector<std::size_t> out(sections.size(), 0);
  while (rows > 0) {
    bool has_given = false;
    for (std::size_t i = 0; i < sections.size() && rows > 0; ++i) {
      if (out[i] == sections[i].lines.size()) continue;
      ++out[i];
      --rows;
      has_given = true;
    }
    if (!has_given) break;
  }
  return out;
}

}  // namespace

std::string cut_to(std::string_view text, std::size_t columns) {
  std::size_t cells = 0;
  std::size_t bytes = 0;
  std::size_t fitting_bytes = 0;  // with room for "…" behind
  while (bytes < text.size()) {
    const auto next = first_of(text.substr(bytes));
    if (cells + next.cells > columns)
      return columns == 0 ? std::string() : std::string(text.substr(0, fitting_bytes)) + "…";
    cells += next.cells;
    bytes += next.bytes;
    if (cells < columns) fitting_bytes = bytes;
  }
  return std::string(text);
}

std::string to_screen(const std::vector<std::string>& notes,
                      const std::vector<screen_section>& sections, screen_size size) {
  std::string out;
  for (const auto& note : notes) out += cut_to(note, size.columns) + '\n';
  // The last row stays free: the cursor is there.
  const auto taken = notes.size() + sections.size() + 1;
  const auto shown = share(sections, size.rows > taken ? size.rows - taken : 0);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const auto& section = sections[i];
    out += cut_to(section.title, size.columns) + '\n';
    const auto first = section.newest_last ? section.lines.size() - shown[i] : 0;
    for (std::size_t k = first; k < first + shown[i]; ++k)
      out += cut_to("  " + section.lines[k], size.columns) + '\n';
  }
  return out;
}

}  // namespace skirmish::cli
