#include "leaderboards/cron.hpp"

#include "core/parse.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::leaderboards {
namespace {

using std::chrono::sys_days;

constexpr int horizon_days = 3'660;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

using names = std::vector<std::string_view>;
const names no_names;
const names month_names{"",    "JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                        "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
const names weekday_names{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

std::optional<int> number(std::string_view text, const names& known, int low, int high) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto name = std::find(known.begin(), known.end(), upper);
  if (!text.empty() && name != known.end()) return static_cast<int>(name - known.begin());
  const auto n = parse_integer(text);
  if (!n || *n < low || *n > high) return std::nullopt;
  return static_cast<int>(*n);
}

template <std::size_t N>
bool read_field(std::string_view field, int low, int high, const names& known,
                std::bitset<N>& out) {
  for (const auto part : split(field, ',')) {
    const auto slash = part.find('/');
    const auto range = part.substr(0, slash);
    int step = 1;
    if (slash != std::string_view::npos) {
      const auto n = parse_integer(part.substr(slash + 1));
      if (!n || *n < 1 || *n > high) return false;
      step = static_cast<int>(*n);
    }
    auto first = std::optional(low);
    auto last = std::optional(high);
    if (range != "*") {
      const auto dash = range.find('-');
      first = number(range.substr(0, dash), known, low, high);
      if (dash != std::string_view::npos) last = number(range.substr(dash + 1), known, low, high);
      if (dash == std::string_view::npos && slash == std::string_view::npos) last = first;
    }
    if (!first || !last || *first > *last) return false;
    for (int n = *first; n <= *last; n += step) out.set(static_cast<std::size_t>(n));
  }
  return true;
}

std::string_view expand(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> shorthands{
      {{"@hourly", "0 * * * *"},
       {"@daily", "0 0 * * *"},
       {"@weekly", "0 0 * * 1"},
       {"@monthly", "0 0 1 * *"},
       {"@yearly", "0 0 1 1 *"}}};
  for (const auto& [word, meaning] : shorthands)
    if (text == word) return meaning;
  return text;
}

}  // namespace

result<cron> cron::parse(std::string_view text) {
  std::vector<std::string_view> fields;
  for (const auto part : split(expand(text), ' '))
    if (!part.empty()) fields.push_back(part);
  cron c;
  if (fields.size() != 5 || !read_field(fields[0], 0, 59, no_names, c.minutes_) ||
      !read_field(fields[1], 0, 23, no_names, c.hours_) ||
      !read_field(fields[2], 1, 31, no_names, c.days_) ||
      !read_field(fields[3], 1, 12, month_names, c.months_) ||
      !read_field(fields[4], 0, 7, weekday_names, c.weekdays_))
    return error{errc::invalid_argument,
                 "reset must be a cron expression of five fields in UTC, such as `0 0 * * MON`"};
  if (c.weekdays_[7]) c.weekdays_.set(0);
  c.any_day_ = fields[2].front() == '*';
  c.any_weekday_ = fields[4].front() == '*';
  if (!c.next_after(timestamp{std::chrono::milliseconds(0)}))
    return error{errc::invalid_argument, "reset names a time that never comes"};
  return c;
}

bool cron::fits_day(sys_days day) const {
  const std::chrono::year_month_day date(day);
  if (!months_[static_cast<unsigned>(date.month())]) return false;
  const bool by_day = days_[static_cast<unsigned>(date.day())];
  const bool by_weekday = weekdays_[std::chrono::weekday(day).c_encoding()];
  if (any_day_ || any_weekday_) return by_day && by_weekday;
  return by_day || by_weekday;
}

std::optional<timestamp> cron::next_after(timestamp t) const {
  const auto from = std::chrono::floor<std::chrono::minutes>(t) + std::chrono::minutes(1);
  auto day = std::chrono::floor<std::chrono::days>(from);
  int minute_of_day = static_cast<int>((from - day).count());
  for (int i = 0; i < horizon_days; ++i, day += std::chrono::days(1), minute_of_day = 0) {
    if (!fits_day(day)) continue;
    for (int m = minute_of_day; m < 24 * 60; ++m) {
      if (hours_[static_cast<std::size_t>(m / 60)] && minutes_[static_cast<std::size_t>(m % 60)])
        return timestamp(day + std::chrono::minutes(m));
    }
  }
  return std::nullopt;
}

}  // namespace skirmish::leaderboards
