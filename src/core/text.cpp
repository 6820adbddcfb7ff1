#include "core/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish {
namespace {

constexpr std::string_view control_complaint = "must not contain control characters";

}  // namespace

std::size_t count_characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::string_view first_characters(std::string_view text, std::size_t limit) noexcept {
  std::size_t at = 0;
  for (std::size_t count = 0; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && count++ == limit) break;
  }
  return text.substr(0, at);
}

std::optional<std::string_view> text_fault(std::string_view text, lines allowed) noexcept {
  const bool one = allowed == lines::one;
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = byte(i);
    if (c == '\n' || c == '\t') {
      if (one) return "must be one line without tabs";
    } else if (c < ' ' || c == 0x7F || (c == 0xC2 && byte(i + 1) <= 0x9F)) {
      return control_complaint;
    } else if (c == 0xE2) {
      const auto low = byte(i + 2);
      const bool in_80 = byte(i + 1) == 0x80;
      if (in_80 && one && (low == 0xA8 || low == 0xA9)) return "must be one line without tabs";
      if ((in_80 && low >= 0xAA && low <= 0xAE) ||
          (byte(i + 1) == 0x81 && low >= 0xA6 && low <= 0xA9))
        return "must not contain characters that override the direction of text";
    }
  }
  return std::nullopt;
}

std::optional<std::string> text_fault(std::string_view text, lines allowed, std::size_t min,
                                      std::size_t max) {
  const auto count = count_characters(text);
  if (count < min || count > max) return fmt::format("must have {} to {} characters", min, max);
  if (const auto fault = text_fault(text, allowed)) return std::string(*fault);
  return std::nullopt;
}

std::string_view text_pattern(lines allowed) noexcept {
  return allowed == lines::one
             ? R"(^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$)"
             : R"(^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$)";
}

}  // namespace skirmish
