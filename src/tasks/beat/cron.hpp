// When periodic tasks run: every so often, or by a crontab line in a time zone.
#pragma once

#include "core/error.hpp"
#include "tasks/protocol/text.hpp"

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::tasks {

// Five fields as in crontab(5): minute, hour, day of month, month, day of week (0 and 7 are Sunday;
// names work), with lists, ranges and steps. As there, when both days are restricted, either is
// enough. A local time that a change of clocks skips does not happen that day; one that it repeats
// happens once, unless the line is one of every hour.
class cron {
 public:
  // `zone` is a name of the tz database ("Europe/Paris"); empty is UTC.
  static result<cron> parse(std::string_view line, std::string zone);

  // The first time after `t`; nothing when there is none within eight years (31 February).
  [[nodiscard]] std::optional<wall_time> next_after(wall_time t) const;

 private:
  [[nodiscard]] bool day_fits(int month, int day, int weekday) const;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = true;
  bool any_weekday_ = true;
  std::string zone_;
};

}  // namespace skirmish::tasks
