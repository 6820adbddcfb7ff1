#include "tasks/protocol/text.hpp"

#include "core/parse.hpp"
#include "skirmish/tasks/values.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

namespace skirmish::tasks {
namespace {

constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two output characters for every 12 bits of input, so three bytes take two look-ups.
const auto& base64_pairs() {
  static const auto table = [] {
    std::array<std::array<char, 2>, 4096> pairs{};
    for (std::size_t i = 0; i < pairs.size(); ++i)
      pairs[i] = {base64_digits[i >> 6], base64_digits[i & 63]};
    return pairs;
  }();
  return table;
}

constexpr std::uint8_t not_base64 = 0xFF;

constexpr auto base64_values = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(not_base64);
  for (std::uint8_t i = 0; i < 64; ++i) table[static_cast<unsigned char>(base64_digits[i])] = i;
  return table;
}();

void append_hex_byte(std::string& out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

void fill_random(unsigned char* to, std::size_t count) {
  struct pool {
    std::array<unsigned char, 4096> bytes;
    std::size_t used = sizeof(bytes);
  };
  thread_local pool p;
  if (p.used + count > p.bytes.size()) {
    randombytes_buf(p.bytes.data(), p.bytes.size());
    p.used = 0;
  }
  std::memcpy(to, p.bytes.data() + p.used, count);
  // What was handed out does not stay in memory.
  std::memset(p.bytes.data() + p.used, 0, count);
  p.used += count;
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

// Reads exactly `width` digits; -1 when there are fewer.
int digits(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// "+05:30", "-0800", "+01", and with seconds as zones had them before they were whole minutes.
std::optional<std::chrono::seconds> offset_of(std::string_view text) {
  using std::chrono::seconds;
  if (text.empty() || text == "Z" || text == "z") return seconds{0};
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  const int hours = digits(text, 1, 2);
  int minutes = 0;
  int rest = 0;
  if (text.size() == 5) minutes = digits(text, 3, 2);
  if (text.size() == 6 || text.size() == 9) minutes = text[3] == ':' ? digits(text, 4, 2) : -1;
  if (text.size() == 9) rest = text[6] == ':' ? digits(text, 7, 2) : -1;
  const bool fits = text.size() == 3 || text.size() == 5 || text.size() == 6 || text.size() == 9;
  if (!fits || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || rest < 0 || rest > 59)
    return std::nullopt;
  return seconds{(text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60 + rest)};
}

}  // namespace

wall_time wall_now() noexcept {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

double to_unix_s(wall_time t) noexcept {
  return static_cast<double>(t.time_since_epoch().count()) / 1e6;
}

wall_time from_unix_s(double seconds) noexcept {
  constexpr double farthest_s = 253'402'300'799;         // the end of the year 9999
  if (!(seconds >= -farthest_s)) seconds = -farthest_s;  // NaN, too
  seconds = std::min(seconds, farthest_s);
  return wall_time{std::chrono::microseconds{std::llround(seconds * 1e6)}};
}

void append_base64(std::string& out, std::string_view bytes) {
  const auto& pairs = base64_pairs();
  const auto start = out.size();
  out.resize(start + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + start;
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  auto left = bytes.size();
  for (; left >= 3; left -= 3, from += 3, to += 4) {
    const unsigned group = (unsigned{from[0]} << 16) | (unsigned{from[1]} << 8) | from[2];
    std::memcpy(to, pairs[group >> 12].data(), 2);
    std::memcpy(to + 2, pairs[group & 4095].data(), 2);
  }
  if (left == 0) return;
  const unsigned group = (unsigned{from[0]} << 16) | (left == 2 ? unsigned{from[1]} << 8 : 0U);
  std::memcpy(to, pairs[group >> 12].data(), 2);
  to[2] = left == 2 ? base64_digits[(group >> 6) & 63] : '=';
  to[3] = '=';
}

bool decode_base64(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0) return false;
  if (text.empty()) return true;
  std::size_t padding = 0;
  if (text.back() == '=') padding = text[text.size() - 2] == '=' ? 2 : 1;
  out.resize(text.size() / 4 * 3);
  char* to = out.data();
  const auto* from = reinterpret_cast<const unsigned char*>(text.data());
  const auto* last = from + text.size() - 4;
  for (; from <= last; from += 4, to += 3) {
    const bool padded = from == last && padding > 0;
    const auto a = base64_values[from[0]];
    const auto b = base64_values[from[1]];
    const auto c = padded && padding == 2 ? std::uint8_t{0} : base64_values[from[2]];
    const auto d = padded ? std::uint8_t{0} : base64_values[from[3]];
    if ((a | b | c | d) & 0x80) return false;
    const unsigned group = (unsigned{a} << 18) | (unsigned{b} << 12) | (unsigned{c} << 6) | d;
    to[0] = static_cast<char>(group >> 16);
    to[1] = static_cast<char>((group >> 8) & 255);
    to[2] = static_cast<char>(group & 255);
  }
  out.erase(out.size() - padding);
  return true;
}

std::string new_uuid() {
  std::array<unsigned char, 16> b{};
  fill_random(b.data(), b.size());
  b[6] = static_cast<unsigned char>((b[6] & 0x0F) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3F) | 0x80);
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    append_hex_byte(out, b[i]);
  }
  return out;
}

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
        // Python may write a lone surrogate; it has no UTF-8.
        append_utf8(out, code >= 0xD800 && code <= 0xDFFF ? 0xFFFD : code);
        break;
      }
      default: return false;
    }
  }
  return true;
}

void append_iso(std::string& out, wall_time t) {
  using namespace std::chrono;
  const auto second = floor<seconds>(t);
  struct memo {
    sys_seconds second{seconds{-1}};
    std::string text;
  };
  // Thousands of results share a second.
  thread_local memo last;
  if (last.second != second) {
    const auto day = floor<days>(second);
    const year_month_day date{day};
    const hh_mm_ss time{second - day};
    last.text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.", static_cast<int>(date.year()),
                            static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                            time.hours().count(), time.minutes().count(), time.seconds().count());
    last.second = second;
  }
  out += last.text;
  auto micros = static_cast<unsigned>((t - second).count());
  char fraction[6];
  for (int i = 5; i >= 0; --i, micros /= 10) fraction[i] = static_cast<char>('0' + micros % 10);
  out.append(fraction, 6);
  out += "+00:00";
}

std::string to_iso(wall_time t) {
  std::string out;
  append_iso(out, t);
  return out;
}

std::optional<wall_time> parse_iso(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const year_month_day date{year{digits(text, 0, 4)},
                            month{static_cast<unsigned>(digits(text, 5, 2))},
                            day{static_cast<unsigned>(digits(text, 8, 2))}};
  if (digits(text, 0, 4) < 1 || !date.ok()) return std::nullopt;
  wall_time out = sys_days{date};
  if (text.size() == 10) return out;
  if (text.size() < 16 || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') ||
      text[13] != ':')
    return std::nullopt;
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  int second = 0;
  std::size_t at = 16;
  if (at < text.size() && text[at] == ':') {
    second = digits(text, 17, 2);
    at = 19;
  }
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  int micros = 0;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    int count = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++count)
      if (count < 6) micros = micros * 10 + (text[at] - '0');
    if (count == 0) return std::nullopt;
    for (; count < 6; ++count) micros *= 10;
  }
  const auto offset = offset_of(text.substr(std::min(at, text.size())));
  if (!offset) return std::nullopt;
  return out + hours{hour} + minutes{minute} + seconds{second} + microseconds{micros} - *offset;
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
  char text[32];
  const auto [end, ec] = std::to_chars(std::begin(text), std::end(text), d);
  const std::string_view shortest(text, static_cast<std::size_t>(end - text));
  out += shortest;
  // It stays a float for Python.
  if (shortest.find_first_of(".e") == std::string_view::npos) out += ".0";
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
