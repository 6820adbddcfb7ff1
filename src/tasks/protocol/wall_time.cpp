#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace skirmish::tasks {
namespace {

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

// "+05:30", "-0800", "+01", and with seconds, which historic zones have.
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

}  // namespace skirmish::tasks
