// Rate limits as one feature of a server thread.
#pragma once

#include "core/task_group.hpp"
#include "request_limits/request_limits.hpp"
#include "request_limits/request_limits_routes.hpp"

namespace skirmish::request_limits {

class feature {
 public:
  feature(redis::client& redis, const redis::key_space& keys, metrics::registry& metrics,
          const setting_list& settings)
      : limits_(redis, keys, metrics, settings) {}

  void add_to(http::router& routes) { add_routes(routes, limits_); }

  void start(task_group& group) {
    group.keep_running("rate_limits", [this] { return limits_.run(); });
  }

  [[nodiscard]] service& limits() noexcept { return limits_; }

 private:
  service limits_;
};

}  // namespace skirmish::request_limits
