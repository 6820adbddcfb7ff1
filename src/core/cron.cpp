#include "core/cron.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

namespace skirmish {
namespace {

namespace chr = std::chrono;

constexpr int search_months = 41 * 12;
constexpr std::size_t line_limit_bytes = 1024;

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

struct field {
  std::string_view what;
  int low, high;
  int values;              // how many there are: the longest step that makes sense
  std::string_view names;  // three letters each, in order, the first is number `low`
};
constexpr field minute_field{"minute", 0, 59, 60, ""};
constexpr field hour_field{"hour", 0, 23, 24, ""};
constexpr field day_field{"day of month", 1, 31, 31, ""};
constexpr field month_field{"month", 1, 12, 12, "janfebmaraprmayjunjulaugsepoctnovdec"};
constexpr field weekday_field{"day of week", 0, 7, 7, "sunmontuewedthufrisat"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> nicknames{
    {{"@yearly", "0 0 1 1 *"},
     {"@annually", "0 0 1 1 *"},
     {"@monthly", "0 0 1 * *"},
     {"@weekly", "0 0 * * 0"},
     {"@daily", "0 0 * * *"},
     {"@midnight", "0 0 * * *"},
     {"@hourly", "0 * * * *"}}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// One or two digits: every number of a crontab line has that many.
std::optional<int> small_number(std::string_view text) {
  if (text.empty() || text.size() > 2) return std::nullopt;
  int n = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + (c - '0');
  }
  return n;
}

std::optional<int> number_or_name(std::string_view text, const field& of) {
  const auto n = small_number(text);
  if (n) return *n >= of.low && *n <= of.high ? n : std::nullopt;
  const auto name = lower(text);
  for (std::size_t i = 0; name.size() == 3 && i < of.names.size(); i += 3)
    if (of.names.substr(i, 3) == name) return static_cast<int>(i / 3) + of.low;
  return std::nullopt;
}

// Sets the bits of one element of a list: `*`, `5`, `8-17`, each with `/n` behind it or not.
template <std::size_t N>
result<void> read_part(std::string_view part, const field& of, std::bitset<N>& bits) {
  int from = of.low, to = of.high, step = 1;
  const auto slash = part.find('/');
  const auto range = part.substr(0, slash);
  if (slash != std::string_view::npos) {
    const auto n = small_number(part.substr(slash + 1));
    if (!n || *n < 1 || *n > of.values)
      return bad(fmt::format("{} `{}`: a step is a number from 1 to {}", of.what, part, of.values));
    step = *n;
  }
  if (range != "*") {
    const auto dash = range.find('-');
    const auto first = number_or_name(range.substr(0, dash), of);
    auto last = first;
    if (dash != std::string_view::npos) {
      last = number_or_name(range.substr(dash + 1), of);
      // Sunday ends the week as well as it begins it: mon-sun, sat-sun.
      if (last == 0 && first > 0 && lower(range.substr(dash + 1)) == "sun") last = 7;
    } else if (slash != std::string_view::npos) {
      last = of.high;
    }
    if (!first || !last)
      return bad(fmt::format("{} `{}` is not within {} to {}{}", of.what, part, of.low, of.high,
                             of.names.empty() ? "" : ", nor a name of three letters"));
    if (*first > *last)
      return bad(fmt::format("{} `{}`: a range runs upwards; write two, with a comma between",
                             of.what, part));
    from = *first;
    to = *last;
  }
  // Sunday is 0 and 7.
  for (int i = from; i <= to; i += step) bits.set(static_cast<std::size_t>(i) % (N == 7 ? 7 : N));
  return {};
}

template <std::size_t N>
result<void> read_field(std::string_view text, const field& of, std::bitset<N>& bits) {
  while (true) {
    const auto comma = text.find(',');
    if (auto ok = read_part(text.substr(0, comma), of, bits); !ok) return ok;
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  constexpr std::string_view blank = " \t";
  while (true) {
    const auto begin = line.find_first_not_of(blank);
    if (begin == std::string_view::npos) return out;
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(blank), line.size());
    out.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

result<std::vector<std::string_view>> fields_of(std::string_view line) {
  if (line.size() > line_limit_bytes) return bad("a cron line is at most 1,024 bytes long");
  auto words = words_of(line);
  if (words.size() == 1 && words[0].front() == '@') {
    const auto name = lower(words[0]);
    for (const auto& [nickname, meaning] : nicknames)
      if (name == nickname) return words_of(meaning);
    return bad(
        fmt::format("there is no nickname `{}`; there are @yearly, @annually, @monthly, "
                    "@weekly, @daily, @midnight and @hourly",
                    words[0]));
  }
  if (words.size() != 5)
    return bad(
        "a cron line has five fields: minute, hour, day of month, month and day of week, such as "
        "`0 4 * * MON`; or it is a nickname such as `@daily`");
  return words;
}

// Local calendar time by glibc, which knows every zone. It keeps the zone in the environment, so
// this is serialised and puts the old one back; only the scheduler asks for zones other than UTC.
class in_zone {
 public:
  explicit in_zone(const std::string& zone) : lock_(mutex()) {
    if (const char* old = std::getenv("TZ")) old_ = old;
    ::setenv("TZ", zone.c_str(), 1);
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

struct local_time {
  chr::year_month_day date;
  int hour, minute;
};

local_time local_of(chr::sys_seconds t) {
  const std::time_t seconds = t.time_since_epoch().count();
  std::tm tm{};
  localtime_r(&seconds, &tm);
  return {chr::year{tm.tm_year + 1900} / (tm.tm_mon + 1) / tm.tm_mday, tm.tm_hour, tm.tm_min};
}

// The first time that has these hands on that day; nothing when a change of clocks skips it. Which
// of two mktime() would choose by itself depends on what it was asked before.
std::optional<chr::sys_seconds> moment_of(chr::year_month_day date, int hour, int minute) {
  std::optional<chr::sys_seconds> first;
  for (const int summer_time : {1, 0}) {
    std::tm at{};
    at.tm_year = static_cast<int>(date.year()) - 1900;
    at.tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
    at.tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
    at.tm_hour = hour;
    at.tm_min = minute;
    at.tm_isdst = summer_time;
    const int day = at.tm_mday;
    const auto seconds = std::mktime(&at);
    if (seconds == -1 || at.tm_mday != day || at.tm_hour != hour || at.tm_min != minute) continue;
    const chr::sys_seconds moment{chr::seconds{seconds}};
    if (!first || moment < *first) first = moment;
  }
  return first;
}

}  // namespace

result<cron> cron::parse(std::string_view line, std::string zone) {
  const auto fields = fields_of(line);
  if (!fields) return fields.error();
  if (zone == "UTC") zone.clear();
  if (!zone.empty()) {
    std::error_code ec;
    const bool known = zone.find("..") == std::string::npos && zone.front() != '/' &&
                       zone.find('\0') == std::string::npos &&
                       std::filesystem::is_regular_file("/usr/share/zoneinfo/" + zone, ec);
    if (!known) return bad(fmt::format("there is no time zone `{}`", zone));
  }
  cron out;
  const auto& f = *fields;
  if (auto ok = read_field(f[0], minute_field, out.minutes_); !ok) return ok.error();
  if (auto ok = read_field(f[1], hour_field, out.hours_); !ok) return ok.error();
  if (auto ok = read_field(f[2], day_field, out.days_); !ok) return ok.error();
  if (auto ok = read_field(f[3], month_field, out.months_); !ok) return ok.error();
  if (auto ok = read_field(f[4], weekday_field, out.weekdays_); !ok) return ok.error();
  out.any_day_ = f[2].front() == '*';
  out.any_weekday_ = f[4].front() == '*';
  out.zone_ = std::move(zone);
  if (!out.next_after(chr::sys_days{chr::year{2000} / 1 / 1}))
    return bad(fmt::format("`{}` can never fire: day of month `{}` does not exist in month `{}`{}",
                           line, f[2], f[3],
                           out.is_utc() ? "" : ", or the zone's clocks always skip that time"));
  return out;
}

bool cron::day_fits(chr::year_month_day date) const {
  const bool by_day = days_.test(static_cast<unsigned>(date.day()));
  const bool by_weekday = weekdays_.test(chr::weekday{chr::sys_days{date}}.c_encoding());
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

// A line of every hour follows the minutes as they pass, however the clocks are set meanwhile.
std::optional<chr::sys_seconds> cron::next_of_every_hour(chr::sys_seconds after) const {
  auto at = chr::floor<chr::minutes>(after);
  for (int i = 0; i < 60; ++i) {
    at += chr::minutes{1};
    const auto local = local_of(at);
    if (minutes_.test(static_cast<std::size_t>(local.minute)) &&
        months_.test(static_cast<unsigned>(local.date.month())) && day_fits(local.date))
      return at;
  }
  return std::nullopt;
}

std::optional<chr::sys_seconds> cron::next_on(chr::year_month_day date,
                                              chr::sys_seconds after) const {
  for (int hour = 0; hour < 24; ++hour) {
    if (!hours_.test(static_cast<std::size_t>(hour))) continue;
    for (int minute = 0; minute < 60; ++minute) {
      if (!minutes_.test(static_cast<std::size_t>(minute))) continue;
      const auto moment =
          is_utc() ? chr::sys_seconds{chr::sys_days{date} + chr::minutes{hour * 60 + minute}}
                   : moment_of(date, hour, minute);
      if (moment && *moment > after) return moment;
    }
  }
  return std::nullopt;
}

std::optional<chr::sys_seconds> cron::next_after(chr::sys_time<chr::microseconds> t) const {
  if (t < chr::sys_days{chr::year{1} / 1 / 1} || t >= chr::sys_days{chr::year{9001} / 1 / 1})
    return std::nullopt;
  const auto after = chr::floor<chr::seconds>(t);
  std::optional<in_zone> zone;
  if (!is_utc()) zone.emplace(zone_);
  if (!is_utc() && hours_.all())
    if (const auto soon = next_of_every_hour(after)) return soon;
  const auto today =
      is_utc() ? chr::year_month_day{chr::floor<chr::days>(after)} : local_of(after).date;
  auto month = today.year() / today.month();
  auto first_day = static_cast<unsigned>(today.day());
  for (int i = 0; i <= search_months; ++i, month += chr::months{1}, first_day = 1) {
    if (!months_.test(static_cast<unsigned>(month.month()))) continue;
    const auto last_day = static_cast<unsigned>((month / chr::last).day());
    for (auto day = first_day; day <= last_day; ++day) {
      const auto date = month / chr::day{day};
      if (!day_fits(date)) continue;
      if (const auto moment = next_on(date, after)) return moment;
    }
  }
  return std::nullopt;
}

}  // namespace skirmish
