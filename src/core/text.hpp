// What people may call things and say to each other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish {

// How many characters (code points) `text` has; it is well-formed UTF-8.
std::size_t count_characters(std::string_view text) noexcept;

// The first `limit` of them, or all.
std::string_view first_characters(std::string_view text, std::size_t limit) noexcept;

enum class lines { one, many };

// Why `text`, which is well-formed UTF-8, must not be shown to people; nullopt when it may. Refused
// are control characters (C0, DEL and C1; tab and line feed are fine in `many` lines) and what
// overrides the direction of text (U+202A to U+202E, U+2066 to U+2069: Unicode TR 36, section 2.3),
// in `one` line also what ends a line (U+2028, U+2029).
std::optional<std::string_view> text_fault(std::string_view text, lines allowed) noexcept;

// The same for a text that must have `min` to `max` characters: every limit of a text that the
// documentation states is checked here.
std::optional<std::string> text_fault(std::string_view text, lines allowed, std::size_t min,
                                      std::size_t max);

// The characters that text_fault() lets pass, as a regular expression (ECMA-262) of a whole text.
std::string_view text_pattern(lines allowed) noexcept;

}  // namespace skirmish
