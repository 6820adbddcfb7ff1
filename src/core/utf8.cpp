#include "core/utf8.hpp"

#include "core/text.hpp"

namespace skirmish {

std::string clean_text(std::string_view raw, std::size_t limit_bytes, faulty characters) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string text;
  for (std::size_t pos = 0; pos < raw.size();) {
    const auto [size_bytes, is_valid] = utf8_character_at(raw, pos);
    auto here = raw.substr(pos, size_bytes);
    pos += size_bytes;
    if (!is_valid) {
      here = replacement;
    } else if (text_fault(here, lines::one)) {
      if (characters == faulty::dropped) continue;
      here = replacement;
    }
    if (text.size() + here.size() > limit_bytes) break;
    text += here;
  }
  return text;
}

}  // namespace skirmish
