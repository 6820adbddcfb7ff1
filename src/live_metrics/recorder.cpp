#include "live_metrics/recorder.hpp"

#include "core/repeat.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <memory>

namespace skirmish::live_metrics {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

}  // namespace

awaitable<void> recorder::run() {
  asio::steady_timer timer(io_);
  auto before = std::make_unique<reading>(metrics_.text());
  auto before_at = steady::now();
  while (true) {
    const auto now = clock_.now();
    timer.expires_after(std::chrono::floor<std::chrono::seconds>(now) + 1s - now);
    co_await timer.async_wait(use_awaitable);
    const auto at = std::chrono::floor<std::chrono::seconds>(clock_.now());
    // The clock is not the timer's: it may be a little behind.
    const auto latest = to_.latest();
    if (latest && latest->at == at) continue;
    auto reads = std::make_unique<reading>(metrics_.text());
    const auto reads_at = steady::now();
    sample s{at, values_between(*before, *reads, reads_at - before_at)};
    add_answer(s.of);
    to_.put(s);
    before = std::move(reads);
    before_at = reads_at;
  }
}

void recorder::add_answer(values& to) const {
  if (steady::now() - answer_.at > known_for) return;
  to[pending_mb] = answer_.pending_mb;
  to[pending_age_s] = answer_.pending_age_s;
  to[online] = answer_.online;
}

awaitable<void> recorder::ask_redis() {
  const auto count = redis::checked(co_await redis_.command("ZCARD", sources_.online));
  answer next;
  if (const auto n = count.as_integer()) next.online = static_cast<double>(*n);
  if (const auto pending = sources_.pending()) {
    next.pending_mb = static_cast<double>(pending->first) / (1 << 20);
    next.pending_age_s = std::chrono::duration<double>(pending->second).count();
  }
  next.at = steady::now();
  answer_ = next;
}

awaitable<void> recorder::run_redis() {
  repeat how{.interval = 1s, .failed = "metrics_not_read"};
  return repeat_every(std::move(how), [this] { return ask_redis(); });
}

}  // namespace skirmish::live_metrics
