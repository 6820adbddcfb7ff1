#include "bench/settle_watch.hpp"

#include "core/clock.hpp"
#include "interactions/pending_state.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto sample_interval = 100ms;

double seconds(std::chrono::milliseconds d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

awaitable<void> settle_watch::run() {
  const redis::key_space keys;
  const system_clock time;
  asio::steady_timer pause(io_);
  auto due = steady::now();
  while (!is_stopping_) {
    try {
      const auto now = time.now();
      const auto pending = co_await interactions::read_pending_state(redis_, keys);
      ages_s_.push_back(seconds(pending.age(now)));
      most_.max_s = std::max(most_.max_s, ages_s_.back());
      most_.attacks_max_s = std::max(most_.attacks_max_s, seconds(age_of(pending.attacks, now)));
      most_.activity_max_s = std::max(most_.activity_max_s, seconds(age_of(pending.activity, now)));
      most_.pending_max_mb =
          std::max(most_.pending_max_mb, static_cast<double>(pending.bytes()) / 1024 / 1024);
    } catch (const failure&) {  // a fault on purpose
    }
    due = std::max(due + sample_interval, steady::now());
    pause.expires_at(due);
    co_await pause.async_wait(use_awaitable);
  }
}

settle_lag settle_watch::summary() {
  auto out = most_;
  std::ranges::sort(ages_s_);
  const auto quantile = [this](double q) {
    const auto last = static_cast<double>(ages_s_.size()) - 1;
    return ages_s_.empty() ? 0 : ages_s_[static_cast<std::size_t>(q * last)];
  };
  out.p50_s = quantile(0.5);
  out.p99_s = quantile(0.99);
  return out;
}

awaitable<bool> settle_watch::wait_settled(std::chrono::seconds patience) {
  const redis::key_space keys;
  asio::steady_timer pause(io_);
  const auto limit = steady::now() + patience;
  while (steady::now() < limit) {
    try {
      const auto pending = co_await interactions::read_pending_state(redis_, keys);
      if (pending.bytes() == 0) co_return true;
    } catch (const failure&) {
    }
    pause.expires_after(20ms);
    co_await pause.async_wait(use_awaitable);
  }
  co_return false;
}

}  // namespace skirmish::cli
