#include "activity/pulse.hpp"

#include "activity/activity_keys.hpp"
#include "core/log.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

namespace skirmish::activity {

awaitable<void> pulse::run() {
  asio::steady_timer pause(io_);
  while (true) {
    pause.expires_after(interval);
    co_await pause.async_wait(use_awaitable);
    if (!gateway_.has_members("activity")) continue;
    try {
      const auto total = redis::checked(co_await redis_.command("GET", events_key(keys_)));
      const auto n = total.as_integer().value_or(0);
      auto text = fmt::format(
          R"({{"event":{{"channel":"activity","data":{{"type":"events","total":{}}}}}}})", n);
      if (n == 0 || text == told_) continue;
      gateway_.publish_latest("activity", text, unsent_max_bytes);
      told_ = std::move(text);
    } catch (const failure& e) {
      log::debug("pulse_failed", {{"error", e.what()}});
    }
  }
}

}  // namespace skirmish::activity
