#include "tasks/beat/cron.hpp"

#include "core/parse.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>

namespace skirmish::tasks {
namespace {

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

constexpr std::array<std::string_view, 12> month_names{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> day_names{"sun", "mon", "tue", "wed",
                                                    "thu", "fri", "sat"};

template <std::size_t N>
std::optional<int> number_or_name(std::string_view text,
                                  const std::array<std::string_view, N>& names, int first) {
  std::string lower(text);
  for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == lower) return static_cast<int>(i) + first;
  const auto n = parse_integer(text);
  if (!n || *n < 0 || *n > 99) return std::nullopt;
  return static_cast<int>(*n);
}

// Sets the bits of one field: "*", "*/5", "1,2", "8-17/2", "mon-fri".
template <class Bits, std::size_t N>
result<void> read_field(std::string_view field, int low, int high,
                        const std::array<std::string_view, N>& names, Bits& bits,
                        std::size_t modulo) {
  while (true) {
    const auto comma = field.find(',');
    auto part = field.substr(0, comma);
    std::int64_t step = 1;
    if (const auto slash = part.find('/'); slash != std::string_view::npos) {
      const auto n = parse_integer(part.substr(slash + 1));
      if (!n || *n < 1) return bad(fmt::format("`{}` has a bad step", part));
      step = *n;
      part = part.substr(0, slash);
    }
    int from = low, to = high;
    if (part != "*") {
      const auto dash = part.find('-');
      const auto first = number_or_name(part.substr(0, dash), names, low == 0 ? 0 : 1);
      const auto last = dash == std::string_view::npos
                            ? (step > 1 ? std::optional<int>(high) : first)
                            : number_or_name(part.substr(dash + 1), names, low == 0 ? 0 : 1);
      if (!first || !last || *first < low || *last > high || *first > *last)
        return bad(fmt::format("`{}` is not within {} to {}", part, low, high));
      from = *first;
      to = *last;
    }
    for (int i = from; i <= to; i += static_cast<int>(step))
      bits.set(static_cast<std::size_t>(i) % modulo);
    if (comma == std::string_view::npos) return {};
    field = field.substr(comma + 1);
  }
}

// Local calendar time by glibc, which knows every zone. It keeps the zone in the environment, so
// this is serialised and puts the old one back; only the scheduler calls it.
class in_zone {
 public:
  explicit in_zone(const std::string& zone) : lock_(mutex()) {
    if (const char* old = std::getenv("TZ")) old_ = old;
    ::setenv("TZ", zone.empty() ? "UTC" : zone.c_str(), 1);
    ::tzset();
  }
  ~in_zone() {
    if (old_)
      ::setenv("TZ", old_->c_str(), 1);
    else
      ::unsetenv("TZ");
    ::tzset();
  }
  in_zone(const in_zone&) = delete;
  in_zone& operator=(const in_zone&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex m;
    return m;
  }
  std::lock_guard<std::mutex> lock_;
  std::optional<std::string> old_;
};

// The first time that has these hands on that day; nothing when a change of clocks skips it. Which
// of two mktime() would choose by itself depends on what it was asked before.
std::optional<std::time_t> moment_of(const std::tm& day, int hour, int minute) {
  for (const int summer_time : {1, 0}) {
    std::tm at = day;
    at.tm_hour = hour;
    at.tm_min = minute;
    at.tm_isdst = summer_time;
    const auto seconds = std::mktime(&at);
    if (seconds != -1 && at.tm_hour == hour && at.tm_min == minute) return seconds;
  }
  return std::nullopt;
}

}  // namespace

result<cron> cron::parse(std::string_view line, std::string zone) {
  std::vector<std::string_view> fields;
  std::size_t at = 0;
  while (at < line.size()) {
    const auto start = line.find_first_not_of(" \t", at);
    if (start == std::string_view::npos) break;
    at = std::min(line.find_first_of(" \t", start), line.size());
    fields.push_back(line.substr(start, at - start));
  }
  if (fields.size() != 5) return bad("a cron line has five fields: minute hour day month weekday");
  if (!zone.empty() && zone != "UTC") {
    std::error_code ec;
    const bool known = zone.find("..") == std::string::npos && zone.front() != '/' &&
                       std::filesystem::is_regular_file("/usr/share/zoneinfo/" + zone, ec);
    if (!known) return bad(fmt::format("there is no time zone `{}`", zone));
  }
  static constexpr std::array<std::string_view, 1> none{"\n"};
  cron out;
  if (auto ok = read_field(fields[0], 0, 59, none, out.minutes_, 60); !ok) return ok.error();
  if (auto ok = read_field(fields[1], 0, 23, none, out.hours_, 24); !ok) return ok.error();
  if (auto ok = read_field(fields[2], 1, 31, none, out.days_, 32); !ok) return ok.error();
  if (auto ok = read_field(fields[3], 1, 12, month_names, out.months_, 13); !ok) return ok.error();
  if (auto ok = read_field(fields[4], 0, 7, day_names, out.weekdays_, 7); !ok) return ok.error();
  out.any_day_ = fields[2] == "*";
  out.any_weekday_ = fields[4] == "*";
  out.zone_ = std::move(zone);
  return out;
}

bool cron::day_fits(int month, int day, int weekday) const {
  if (!months_.test(static_cast<std::size_t>(month))) return false;
  const bool by_day = days_.test(static_cast<std::size_t>(day));
  const bool by_weekday = weekdays_.test(static_cast<std::size_t>(weekday));
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<wall_time> cron::next_after(wall_time t) const {
  const in_zone zone(zone_);
  const std::time_t after = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  std::tm local{};
  localtime_r(&after, &local);
  // A line of every hour follows the minutes as they pass, however the clocks are set meanwhile.
  if (hours_.all()) {
    for (std::time_t at = after - after % 60 + 60; at <= after + 3600; at += 60) {
      std::tm then{};
      localtime_r(&at, &then);
      if (minutes_.test(static_cast<std::size_t>(then.tm_min)) &&
          day_fits(then.tm_mon + 1, then.tm_mday, then.tm_wday))
        return wall_time{std::chrono::seconds{at}};
    }
  }
  constexpr int eight_years_days = 8 * 366;
  for (int offset = 0; offset <= eight_years_days; ++offset) {
    // Noon exists on every day and on no other.
    std::tm day = local;
    day.tm_mday += offset;
    day.tm_hour = 12;
    day.tm_min = day.tm_sec = 0;
    day.tm_isdst = -1;
    if (std::mktime(&day) == -1 || !day_fits(day.tm_mon + 1, day.tm_mday, day.tm_wday)) continue;
    for (int hour = 0; hour < 24; ++hour) {
      if (!hours_.test(static_cast<std::size_t>(hour))) continue;
      for (int minute = 0; minute < 60; ++minute) {
        if (!minutes_.test(static_cast<std::size_t>(minute))) continue;
        const auto seconds = moment_of(day, hour, minute);
        if (seconds && *seconds > after) return wall_time{std::chrono::seconds{*seconds}};
      }
    }
  }
  return std::nullopt;
}

}  // namespace skirmish::tasks
