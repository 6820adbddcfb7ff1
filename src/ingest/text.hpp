// Reading a log's text: valid ids out of arbitrary bytes, and a cursor for hand-written parsing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::ingest {

// `prefix` + `raw` as a valid id (core/ids.hpp), one-to-one: different texts have different ids.
// A text that is a valid id stays as it is. In any other each Unicode character outside the id set
// becomes one '_', and so does each run of bytes that is no UTF-8 (a "maximal subpart", Unicode 15
// section 3.9, as Python and browsers replace it); then '.' follows and the first 16 hex digits of
// the SHA-256 of `prefix` + `raw`, because what was replaced no longer tells two names apart. "Ann
// B" is "Ann_B.1923efbf94441cda". The same holds for what is longer than 64 bytes, of which the
// first 47 are kept, for nothing at all, and for a text that ends as such an id does, so that
// nobody can take another's id as a name.
std::string to_id(std::string_view raw, std::string_view prefix = {});

// A player's name as an id, by the rules of to_id. Colour codes of the Quake family (`^1`,
// `^xB50`) are left out of what can be read and count in the digest.
std::string name_to_id(std::string_view name);

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
