// Cron expressions in UTC: when a season ends.
//
// Five fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday; names as SUN,
// JAN). Each is `*`, a number, a range `a-b`, any of these with a step `/n`, or several with commas
// between. When both days are restricted, either suffices (POSIX crontab). `@hourly`, `@daily`,
// `@weekly` (Monday), `@monthly` and `@yearly` are short for the obvious.
#pragma once

#include "core/clock.hpp"
#include "core/error.hpp"

#include <bitset>
#include <optional>
#include <string_view>

namespace skirmish::leaderboards {

class cron {
 public:
  static result<cron> parse(std::string_view text);

  // The first full minute after `t` that fits; nothing when none does within ten years.
  [[nodiscard]] std::optional<timestamp> next_after(timestamp t) const;

 private:
  [[nodiscard]] bool fits_day(std::chrono::sys_days day) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     // 1 to 31
  std::bitset<13> months_;   // 1 to 12
  std::bitset<8> weekdays_;  // 0 is Sunday
  bool any_day_ = false;
  bool any_weekday_ = false;
};

}  // namespace skirmish::leaderboards
