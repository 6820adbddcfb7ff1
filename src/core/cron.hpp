// Crontab lines: when periodic tasks run and when a board's season ends. docs/cron.md has the table
// of the accepted forms.
//
// Five fields as in Vixie's crontab(5): minute, hour, day of month, month, day of week (0 and 7 are
// Sunday), with names, lists, ranges and steps; or a nickname such as `@daily`. When both days are
// restricted, either is enough; a day field that starts with `*` restricts nothing by this rule. A
// local time that a change of clocks skips does not happen that day; one that it repeats happens
// once, unless the line is one of every hour.
#pragma once

#include "core/error.hpp"

#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish {

class cron {
 public:
  // `zone` is a name of the tz database ("Europe/Paris"); empty is UTC. The error says which part
  // is wrong and why; a line that can never fire (31 February) is refused too.
  static result<cron> parse(std::string_view line, std::string zone = {});

  // The first full minute after `t`. Looks through a bounded number of days: the rarest line that
  // can fire, one for a weekday that is 29 February, does so every 40 years at least. Nothing when
  // there is none, or when `t` is not within the years 1 to 9000.
  [[nodiscard]] std::optional<std::chrono::sys_seconds> next_after(
      std::chrono::sys_time<std::chrono::microseconds> t) const;

 private:
  [[nodiscard]] bool day_fits(std::chrono::year_month_day date) const;
  [[nodiscard]] std::optional<std::chrono::sys_seconds> next_on(
      std::chrono::year_month_day date, std::chrono::sys_seconds after) const;
  [[nodiscard]] std::optional<std::chrono::sys_seconds> next_of_every_hour(
      std::chrono::sys_seconds after) const;
  [[nodiscard]] bool is_utc() const noexcept { return zone_.empty(); }

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     // 1 to 31
  std::bitset<13> months_;   // 1 to 12
  std::bitset<7> weekdays_;  // 0 is Sunday
  bool any_day_ = false;
  bool any_weekday_ = false;
  std::string zone_;  // empty: UTC
};

}  // namespace skirmish
