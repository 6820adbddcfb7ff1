// UTF-8 (RFC 3629) out of arbitrary bytes. is_valid_utf8() stands in core/parse.hpp.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skirmish {

struct utf8_character {
  std::size_t size_bytes;  // at least 1
  bool is_valid;
};

// The character at `pos`, which is within `text`, or the maximal subpart of an ill-formed one
// (Unicode 15, table 3-7), as Python and browsers replace it.
constexpr utf8_character utf8_character_at(std::string_view text, std::size_t pos) noexcept {
  const auto lead = static_cast<unsigned char>(text[pos]);
  if (lead < 0x80) return {1, true};
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  std::size_t size = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t n = 1; n < size; ++n) {
    if (pos + n == text.size()) return {n, false};
    const auto next = static_cast<unsigned char>(text[pos + n]);
    if (next < low || next > high) return {n, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

enum class faulty { replaced, dropped };  // replaced by U+FFFD

// `raw` as valid UTF-8 that may be shown to people: ill-formed bytes become U+FFFD, and what
// text_fault() (core/text.hpp) finds in one line is replaced too, or dropped. Cut at a character's
// boundary so that it has at most `limit_bytes`.
std::string clean_text(std::string_view raw, std::size_t limit_bytes,
                       faulty characters = faulty::replaced);

}  // namespace skirmish
