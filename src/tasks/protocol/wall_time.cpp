#include "tasks/protocol/wall_time.hpp"

#include "core/iso_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace skirmish::tasks {
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
  return parse_time(text, time_form::iso8601);
}

}  // namespace skirmish::tasks
