#include "status/observation.hpp"

#include <algorithm>

namespace skirmish::status {
namespace {

// The length of the well-formed UTF-8 sequence (RFC 3629) at the start of `text`; 0 when there is
// none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool is_overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool is_surrogate = first == 0xED && byte(1) > 0x9F;
    return follows(1) && follows(2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool is_overlong = first == 0xF0 && byte(1) < 0x90;
    const bool is_too_large = first == 0xF4 && byte(1) > 0x8F;
    return follows(1) && follows(2) && follows(3) && !is_overlong && !is_too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t limit_bytes) {
  std::string out;
  while (!text.empty()) {
    const auto length = sequence_length(text);
    const auto piece = length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
    const auto first = static_cast<unsigned char>(piece.front());
    const bool is_control =
        first < 0x20 || first == 0x7F ||
        (first == 0xC2 && static_cast<unsigned char>(piece[1]) < 0xA0);  // U+0080 to U+009F
    if (!is_control && out.size() + piece.size() > limit_bytes) break;
    if (!is_control) out += piece;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace skirmish::status
