#include "tasks/protocol/json_text.hpp"

#include "core/json_text.hpp"
#include "skirmish/tasks/values.hpp"

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace skirmish::tasks {
namespace {

void append_hex_byte(std::string& out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

void append_utf8(std::string& out, unsigned code) {
  const auto add = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0 | (code >> 6));
    add(0x80 | (code & 63));
  } else if (code < 0x10000) {
    add(0xE0 | (code >> 12));
    add(0x80 | ((code >> 6) & 63));
    add(0x80 | (code & 63));
  } else {
    add(0xF0 | (code >> 18));
    add(0x80 | ((code >> 12) & 63));
    add(0x80 | ((code >> 6) & 63));
    add(0x80 | (code & 63));
  }
}

// Three bytes that would be half of a UTF-16 pair, U+D800 to U+DFFF.
bool half_pair_at(std::string_view text, std::size_t at) {
  return at + 2 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0 &&
         (static_cast<unsigned char>(text[at + 1]) & 0xC0) == 0x80 &&
         (static_cast<unsigned char>(text[at + 2]) & 0xC0) == 0x80;
}

void append_half_pair(std::string& out, std::string_view text, std::size_t at) {
  const unsigned code = 0xD000U | ((static_cast<unsigned char>(text[at + 1]) & 63U) << 6) |
                        (static_cast<unsigned char>(text[at + 2]) & 63U);
  out += "\\u";
  append_hex_byte(out, static_cast<unsigned char>(code >> 8));
  append_hex_byte(out, static_cast<unsigned char>(code & 255U));
}

std::optional<unsigned> hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  unsigned code = 0;
  const auto [end, ec] = std::from_chars(text.data() + at, text.data() + at + 4, code, 16);
  if (ec != std::errc{} || end != text.data() + at + 4) return std::nullopt;
  return code;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain_from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool is_half = c == 0xED && half_pair_at(text, i);
    if (c >= 0x20 && c != '"' && c != '\\' && !is_half) continue;
    out.append(text, plain_from, i - plain_from);
    if (is_half) {
      append_half_pair(out, text, i);
      i += 2;
      plain_from = i + 1;
      continue;
    }
    plain_from = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: out += "\\u00"; append_hex_byte(out, c);
    }
  }
  out.append(text, plain_from);
  out += '"';
}

bool unescape_json(std::string_view inner, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\') {
      out += inner[i];
      continue;
    }
    if (++i == inner.size()) return false;
    switch (inner[i]) {
      case '"':
      case '\\':
      case '/': out += inner[i]; break;
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': {
        const auto unit = hex4(inner, i + 1);
        if (!unit) return false;
        i += 4;
        unsigned code = *unit;
        if (code >= 0xD800 && code < 0xDC00 && i + 2 < inner.size() && inner[i + 1] == '\\' &&
            inner[i + 2] == 'u') {
          const auto low = hex4(inner, i + 3);
          if (!low || *low < 0xDC00 || *low > 0xDFFF) return false;
          code = 0x10000 + ((code - 0xD800) << 10) + (*low - 0xDC00);
          i += 6;
        }
        // Python may write a lone surrogate, which UTF-8 cannot represent.
        append_utf8(out, code >= 0xD800 && code <= 0xDFFF ? 0xFFFD : code);
        break;
      }
      default: return false;
    }
  }
  return true;
}

std::string_view text_at(const boost::json::object& in, std::string_view name) noexcept {
  const auto* v = in.if_contains(name);
  return v && v->is_string() ? std::string_view(v->get_string()) : std::string_view();
}

namespace {

void append_double(std::string& out, double d, json_dialect dialect) {
  if (!std::isfinite(d)) {
    out += dialect == json_dialect::strict ? "null"
           : std::isnan(d)                 ? "NaN"
           : d > 0                         ? "Infinity"
                                           : "-Infinity";
    return;
  }
  const auto begin = out.size();
  // To Python -0.0 is another number than 0.0.
  if (dialect == json_dialect::python && d == 0 && std::signbit(d)) out += '-';
  skirmish::append_json_number(out, d);
  // So that Python reads a float.
  if (dialect == json_dialect::python && out.find_first_of(".e", begin) == std::string::npos)
    out += ".0";
}

template <class Integer>
void append_integer(std::string& out, Integer n) {
  char text[24];
  const auto [end, ec] = std::to_chars(std::begin(text), std::end(text), n);
  out.append(text, end);
}

}  // namespace

void append_json(std::string& out, const boost::json::value& v, json_dialect dialect) {
  using boost::json::kind;
  switch (v.kind()) {
    case kind::null: out += "null"; return;
    case kind::bool_: out += v.get_bool() ? "true" : "false"; return;
    case kind::int64: return append_integer(out, v.get_int64());
    case kind::uint64: return append_integer(out, v.get_uint64());
    case kind::double_: return append_double(out, v.get_double(), dialect);
    case kind::string: return append_json_string(out, v.get_string());
    case kind::array: {
      char separator = '[';
      for (const auto& item : v.get_array()) {
        out += std::exchange(separator, ',');
        append_json(out, item, dialect);
      }
      if (separator == '[') out += '[';
      out += ']';
      return;
    }
    case kind::object: {
      if (const auto digits_of = big_integer(v)) {
        out += *digits_of;
        return;
      }
      char separator = '{';
      for (const auto& [key, item] : v.get_object()) {
        out += std::exchange(separator, ',');
        append_json_string(out, key);
        out += ':';
        append_json(out, item, dialect);
      }
      if (separator == '{') out += '{';
      out += '}';
      return;
    }
  }
}

std::string to_json_text(const boost::json::value& v, json_dialect dialect) {
  std::string out;
  append_json(out, v, dialect);
  return out;
}

}  // namespace skirmish::tasks
