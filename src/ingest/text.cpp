#include "ingest/text.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/utf8.hpp"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

namespace skirmish::ingest {
namespace {

constexpr std::size_t kept_bytes = 47;
constexpr std::size_t digest_bytes = 8;
static_assert(kept_bytes + 1 + 2 * digest_bytes == id_max_bytes);

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// True for what `digested` may have made.
bool ends_in_digest(std::string_view id) {
  if (id.size() <= 2 * digest_bytes) return false;
  const auto tail = id.substr(id.size() - 2 * digest_bytes);
  return id[id.size() - tail.size() - 1] == '.' &&
         std::all_of(tail.begin(), tail.end(), is_lower_hex);
}

// The beginning of `readable` and what tells `whole` from every other text.
std::string digested(std::string_view readable, const std::string& whole) {
  return fmt::format("{}.{}", readable.substr(0, kept_bytes),
                     sha256_hex(whole).substr(0, 2 * digest_bytes));
}

// `raw` with '_' for what no id may hold; never empty.
std::string replaced(std::string_view raw) {
  std::string text;
  for (std::size_t pos = 0; pos < raw.size();) {
    const auto size = utf8_character_at(raw, pos).size_bytes;
    const auto here = raw.substr(pos, size);
    if (is_valid_id(here))
      text += here;
    else
      text += '_';
    pos += size;
  }
  return text.empty() ? "_" : text;
}

// The length of the colour code at the beginning of `text`, 0 when there is none.
std::size_t color_code_bytes(std::string_view text) {
  if (text.size() < 2 || text[0] != '^') return 0;
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  if (text[1] == 'x' && text.size() >= 5 && std::all_of(&text[2], &text[2] + 3, is_hex)) return 5;
  return std::isdigit(static_cast<unsigned char>(text[1])) != 0 ? 2 : 0;
}

std::string without_colors(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const auto code = color_code_bytes(text);
    if (code == 0) plain += text[0];
    text.remove_prefix(std::max<std::size_t>(code, 1));
  }
  return plain;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string to_id(std::string_view raw, std::string_view prefix) {
  auto whole = fmt::format("{}{}", prefix, raw);
  if (is_valid_id(whole) && !ends_in_digest(raw)) return whole;
  return digested(fmt::format("{}{}", prefix, replaced(raw)), whole);
}

std::string name_to_id(std::string_view name) {
  if (is_valid_id(name)) return to_id(name);
  return digested(replaced(without_colors(name)), std::string(name));
}

std::optional<int> cursor::natural() noexcept {
  std::size_t count = 0;
  int value = 0;
  for (; count < rest_.size() && is_digit(rest_[count]); ++count) {
    if (count == 8) return std::nullopt;
    value = value * 10 + (rest_[count] - '0');
  }
  if (count == 0) return std::nullopt;
  rest_.remove_prefix(count);
  return value;
}

std::optional<int> cursor::integer() noexcept {
  cursor at = *this;
  const bool negative = at.eat("-");
  const auto value = at.natural();
  if (!value) return std::nullopt;
  *this = at;
  return negative ? -*value : *value;
}

std::optional<int> cursor::digits(std::size_t width) noexcept {
  const auto text = rest_.substr(0, width);
  if (text.size() < width || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  rest_.remove_prefix(width);
  return value;
}

std::optional<double> cursor::decimal() noexcept {
  double value = 0;
  const auto [end, ec] =
      std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, std::chars_format::fixed);
  if (ec != std::errc{} || !std::isfinite(value)) return std::nullopt;
  rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
  return value;
}

}  // namespace skirmish::ingest
