#include "core/repeat.hpp"

#include "core/error.hpp"

#include <boost/asio/this_coro.hpp>

namespace skirmish {
namespace {

using steady = std::chrono::steady_clock;

// Says once what lasts.
class outage_log {
 public:
  explicit outage_log(const repeat& how) : how_(how) {}

  void note_failure(const failure& problem) {
    if (failures_++ == 0) began_ = steady::now();
    const auto at = failures_ == 1 ? how_.level : log::level::debug;
    if (how_.work.empty())
      log::write(at, how_.failed, {{"error", problem.what()}, {"attempt", failures_}});
    else
      log::write(at, how_.failed,
                 {{"work", how_.work}, {"error", problem.what()}, {"attempt", failures_}});
  }

  void note_success() {
    if (failures_ == 0) return;
    const auto lasted =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - began_);
    const auto at = how_.level == log::level::debug ? log::level::debug : log::level::info;
    log::write(
        at, "loop_recovered",
        {{"failure", how_.failed}, {"attempts", failures_}, {"duration_ms", lasted.count()}});
    failures_ = 0;
  }

 private:
  const repeat& how_;
  int failures_ = 0;
  steady::time_point began_;
};

steady::time_point next_round(const repeat& how) {
  const auto now = steady::now();
  return how.counts_from_end ? now + how.interval : next_tick(now, how.interval);
}

}  // namespace

steady::time_point next_tick(steady::time_point now, std::chrono::milliseconds interval) {
  if (interval <= std::chrono::milliseconds::zero()) return now;
  const auto since = now.time_since_epoch();
  return now + (interval - since % interval);
}

awaitable<void> repeat_every(repeat how, std::function<awaitable<void>()> round) {
  event never(co_await asio::this_coro::executor);
  event& wake = how.wake ? *how.wake : never;
  outage_log outage(how);
  bool pauses = how.pauses_first;
  while (true) {
    const bool is_idle = pauses && how.is_idle && how.is_idle();
    if (is_idle)
      co_await wake.wait();
    else if (pauses)
      co_await wake.wait_until(next_round(how));
    pauses = true;
    try {
      co_await round();
      outage.note_success();
    } catch (const failure& e) {
      outage.note_failure(e);
    }
  }
}

}  // namespace skirmish
