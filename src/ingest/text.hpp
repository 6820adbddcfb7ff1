// Reading a log's text: valid ids and texts out of arbitrary bytes, and a cursor for hand-written
// parsing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::ingest {

// `prefix` + `raw` as a valid id (core/ids.hpp). Each Unicode character of `raw` outside the id set
// becomes one '_', and so does each run of bytes that is no UTF-8 (a "maximal subpart", Unicode 15
// section 3.9, as Python and browsers replace it). Quake colour codes get no special treatment:
// "^1Bob" is "_1Bob". Nothing at all becomes "_". An id that would be longer than 64 is cut to its
// first 47 characters, '.', and the first 16 hex digits of the SHA-256 of the uncut id.
std::string to_id(std::string_view raw, std::string_view prefix = {});

// `raw` as valid UTF-8: bytes that are none, and control characters, become U+FFFD. Cut at a
// character's boundary so that it has at most `limit_bytes`.
std::string clean_text(std::string_view raw, std::size_t limit_bytes);

// Walks through one line. Every function either succeeds and moves on, or says no and stays.
class cursor {
 public:
  explicit cursor(std::string_view text) noexcept : rest_(text) {}
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

  bool eat(std::string_view literal) noexcept {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }

  void eat_spaces() noexcept {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
  }

  // What stands before the next `mark`, which is passed too.
  std::optional<std::string_view> until(std::string_view mark) noexcept {
    const auto at = rest_.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const auto before = rest_.substr(0, at);
    rest_.remove_prefix(at + mark.size());
    return before;
  }

  // One to eight digits. A ninth digit is an error, not a second number.
  std::optional<int> natural() noexcept;

  // The same with an optional '-' before it.
  std::optional<int> integer() noexcept;

  // Exactly `width` digits.
  std::optional<int> digits(std::size_t width) noexcept;

  // A finite decimal number.
  std::optional<double> decimal() noexcept;

 private:
  std::string_view rest_;
};

}  // namespace skirmish::ingest
