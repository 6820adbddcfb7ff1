#include "core/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

namespace skirmish {
namespace {

namespace json = boost::json;

constexpr double exact_limit =
    9'007'199'254'740'992;  // 2^53: every whole number up to it is a double
// From here on, and below the other, a number has an exponent.
constexpr double large = 1e21;
constexpr double small = 1e-6;
// The longest number: 2^-1074 to 17 digits, or the smallest without an exponent.
constexpr std::size_t number_limit_bytes = 48;

// What a string's byte becomes: 0 stands for itself, 'u' for \u00XX, another for \ and that letter.
constexpr auto escapes = [] {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

template <class Number, class... Format>
void append_chars(std::string& out, Number n, Format... format) {
  char text[number_limit_bytes];
  const auto [end, ec] = std::to_chars(std::begin(text), std::end(text), n, format...);
  if (ec == std::errc{}) out.append(text, end);
}

void append_array(std::string& out, const json::array& a) {
  out += '[';
  bool is_first = true;
  for (const auto& item : a) {
    if (!std::exchange(is_first, false)) out += ',';
    append_json(out, item);
  }
  out += ']';
}

void append_object(std::string& out, const json::object& o) {
  out += '{';
  bool is_first = true;
  for (const auto& member : o) {
    if (!std::exchange(is_first, false)) out += ',';
    append_json_string(out, member.key());
    out += ':';
    append_json(out, member.value());
  }
  out += '}';
}

}  // namespace

void append_json_number(std::string& out, double n) {
  if (!std::isfinite(n)) {
    out += "null";
    return;
  }
  const auto magnitude = std::abs(n);
  if (magnitude <= exact_limit && n == std::trunc(n))
    append_chars(out, static_cast<std::int64_t>(n));
  else if (magnitude >= small && magnitude < large)
    append_chars(out, n, std::chars_format::fixed);
  else
    append_chars(out, n, std::chars_format::scientific);
}

void append_json_integer(std::string& out, std::int64_t n) { append_chars(out, n); }

std::string rounded_json_number(double n, int decimals) {
  const auto scale = std::pow(10.0, decimals);
  const auto rounded = std::round(n * scale) / scale;
  std::string out;
  append_json_number(out, std::isfinite(rounded) ? rounded : n);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  std::size_t plain_from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const char escape = escapes[c];
    if (escape == 0) continue;
    out.append(text, plain_from, i - plain_from);
    plain_from = i + 1;
    out += '\\';
    if (escape != 'u') {
      out += escape;
      continue;
    }
    out += "u00";
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  out.append(text, plain_from);
  out += '"';
}

std::string json_string_of(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void append_json(std::string& out, const json::value& v) {
  switch (v.kind()) {
    case json::kind::null: out += "null"; return;
    case json::kind::bool_: out += v.get_bool() ? "true" : "false"; return;
    case json::kind::int64: return append_chars(out, v.get_int64());
    case json::kind::uint64: return append_chars(out, v.get_uint64());
    case json::kind::double_: return append_json_number(out, v.get_double());
    case json::kind::string: return append_json_string(out, v.get_string());
    case json::kind::array: return append_array(out, v.get_array());
    case json::kind::object: return append_object(out, v.get_object());
  }
}

std::string json_text_of(const json::value& v) {
  std::string out;
  append_json(out, v);
  return out;
}

std::string json_text_of(const json::object& o) {
  std::string out;
  append_object(out, o);
  return out;
}

std::string json_text_of(const json::array& a) {
  std::string out;
  append_array(out, a);
  return out;
}

}  // namespace skirmish
