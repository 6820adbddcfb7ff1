// Activity as one feature of a server thread: the channel `activity` and the 24-hour window behind
// `leaderboard:active`.
#pragma once

#include "activity/pulse.hpp"
#include "activity/window.hpp"
#include "core/task_group.hpp"
#include "http/router.hpp"
#include "realtime/realtime.hpp"

#include <utility>

namespace skirmish::activity {

class feature {
 public:
  // `sweeps`: whether this server looks after the window.
  feature(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
          const clock& time, realtime::gateway& gateway, window_settings s, bool sweeps,
          metrics::registry& metrics)
      : window_(io, redis, keys, time, std::move(s), metrics),
        pulse_(redis, keys, gateway),
        sweeps_(sweeps) {}

  void add_to(http::router&, realtime::gateway& gateway) {
    gateway.on_channel("activity", realtime::json_channel());
  }

  void start(task_group& group) {
    group.keep_running("pulse", [this] { return pulse_.run(); });
  }
  // One thread is enough: a lease lets one of all servers work on the window at a time.
  void start_on_first(task_group& group) {
    if (sweeps_) group.keep_running("activity_window", [this] { return window_.run(); });
  }

  [[nodiscard]] window& active() noexcept { return window_; }

 private:
  window window_;
  pulse pulse_;
  bool sweeps_;
};

}  // namespace skirmish::activity
