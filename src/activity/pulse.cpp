#include "activity/pulse.hpp"

#include "activity/activity_keys.hpp"
#include "core/repeat.hpp"

#include <fmt/format.h>

namespace skirmish::activity {

awaitable<void> pulse::run() {
  repeat how{.interval = interval, .failed = "pulse_failed", .pauses_first = true};
  return repeat_every(std::move(how), [this] { return tell(); });
}

awaitable<void> pulse::tell() {
  if (!gateway_.has_members("activity")) co_return;
  const auto total = redis::checked(co_await redis_.command("GET", events_key(keys_)));
  const auto n = total.as_integer().value_or(0);
  auto text = fmt::format(
      R"({{"event":{{"channel":"activity","data":{{"type":"events","total":{}}}}}}})", n);
  if (n == 0 || text == told_) co_return;
  gateway_.publish_latest("activity", text, unsent_max_bytes);
  told_ = std::move(text);
}

}  // namespace skirmish::activity
