#include "interactions/pending_watch.hpp"

#include "core/log.hpp"

#include <boost/asio/steady_timer.hpp>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto idle_interval = 1s;
constexpr auto load_interval = 250ms;
constexpr auto load_memory = 2s;
constexpr auto known_for = 3s;

}  // namespace

pending_watch::pending_watch(asio::io_context& io, redis::client& redis,
                             const redis::key_space& keys, const clock& time)
    : io_(io), redis_(redis), keys_(keys), clock_(time) {}

bool pending_watch::is_loaded() const { return steady::now() - loaded_at_ < load_memory; }

awaitable<void> pending_watch::run(bool is_first) {
  asio::steady_timer pause(io_);
  while (true) {
    if (is_first || is_loaded()) {
      try {
        state_ = co_await read_pending_state(redis_, keys_);
        read_at_ = steady::now();
        shown_->age_s = std::chrono::duration<double>(state_.age(clock_.now())).count();
        shown_->bytes = static_cast<double>(state_.bytes());
      } catch (const failure& e) {
        log::debug("pending_state_unread", {{"error", e.what()}});
      }
    }
    pause.expires_after(is_loaded() ? steady::duration(load_interval)
                                    : steady::duration(idle_interval));
    co_await pause.async_wait(use_awaitable);
  }
}

std::optional<pending_state> pending_watch::state() const {
  if (steady::now() - read_at_ > known_for) return std::nullopt;
  return state_;
}

std::chrono::milliseconds pending_watch::age() const {
  const auto known = state();
  return known ? known->age(clock_.now()) : 0ms;
}

void pending_watch::show_in(metrics::registry& metrics) {
  metrics.add_callback("skirmish_pending_age_seconds",
                       "Age of the oldest write that is acknowledged and not under its key yet.",
                       [to = shown_] { return to->age_s.load(); });
  metrics.add_callback("skirmish_pending_bytes",
                       "Writes that are acknowledged and not under their keys yet.",
                       [to = shown_] { return to->bytes.load(); });
}

}  // namespace skirmish::interactions
