// Text to numbers, durations and sizes, strictly: the whole text or nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish {

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;
// Digits only, up to 2^63 - 1.
std::optional<std::int64_t> parse_natural(std::string_view text) noexcept;

// "500ms", "30s", "10m", "24h", "7d"; a bare number is seconds. Not negative, at most ten years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept;
std::string to_text(std::chrono::milliseconds duration);

// "65536", "64KiB", "1MiB", "2GiB".
std::optional<std::int64_t> parse_bytes(std::string_view text) noexcept;

// The candidate with the smallest Levenshtein distance, when that is at most a third of the name's
// length; else empty.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

// `%41` becomes `A`, and with `plus_is_space` `+` a space. Nothing when an escape is broken.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// True when `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_valid_utf8(std::string_view text) noexcept;

}  // namespace skirmish
