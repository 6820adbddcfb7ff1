#include "core/iso_time.hpp"

#include <algorithm>

namespace skirmish {
namespace {

// Reads exactly `width` digits; -1 when there are fewer.
int digits(std::string_view text, std::size_t at, std::size_t width) noexcept {
  if (at + width > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// "+05:30"; in ISO 8601 also "-0800", "+01", and with seconds, which historic zones have.
std::optional<std::chrono::seconds> offset_of(std::string_view text, time_form form) noexcept {
  using std::chrono::seconds;
  const bool is_strict = form == time_form::rfc3339;
  if (text.empty() && !is_strict) return seconds{0};
  if (text == "Z" || text == "z") return seconds{0};
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool fits = text.size() == 6 ||
                    (!is_strict && (text.size() == 3 || text.size() == 5 || text.size() == 9));
  if (!fits) return std::nullopt;
  const int hours = digits(text, 1, 2);
  int minutes = 0;
  int rest = 0;
  if (text.size() == 5) minutes = digits(text, 3, 2);
  if (text.size() >= 6) minutes = text[3] == ':' ? digits(text, 4, 2) : -1;
  if (text.size() == 9) rest = text[6] == ':' ? digits(text, 7, 2) : -1;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || rest < 0 || rest > 59)
    return std::nullopt;
  return seconds{(text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60 + rest)};
}

// Reads ".123456" at `at` and moves past it; nullopt when the dot has no digit behind it.
std::optional<int> fraction_us(std::string_view text, std::size_t& at, time_form form) noexcept {
  const bool has_one =
      at < text.size() && (text[at] == '.' || (text[at] == ',' && form == time_form::iso8601));
  if (!has_one) return 0;
  int micros = 0;
  int count = 0;
  for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    if (count == 6) continue;
    micros = micros * 10 + (text[at] - '0');
    ++count;
  }
  if (count == 0) return std::nullopt;
  for (; count < 6; ++count) micros *= 10;
  return micros;
}

}  // namespace

std::optional<std::chrono::sys_time<std::chrono::microseconds>> parse_time(
    std::string_view text, time_form form) noexcept {
  using namespace std::chrono;
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const year_month_day date{year{digits(text, 0, 4)},
                            month{static_cast<unsigned>(digits(text, 5, 2))},
                            day{static_cast<unsigned>(digits(text, 8, 2))}};
  if (digits(text, 0, 4) < 1 || !date.ok()) return std::nullopt;
  const sys_time<microseconds> midnight = sys_days{date};
  if (text.size() == 10) return form == time_form::iso8601 ? std::optional(midnight) : std::nullopt;
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
  } else if (form == time_form::rfc3339) {
    return std::nullopt;
  }
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  const auto micros = fraction_us(text, at, form);
  if (!micros) return std::nullopt;
  const auto offset = offset_of(text.substr(std::min(at, text.size())), form);
  if (!offset) return std::nullopt;
  return midnight + hours{hour} + minutes{minute} + seconds{second} + microseconds{*micros} -
         *offset;
}

}  // namespace skirmish
