// The server status as one feature of a server thread; status::worker makes it, once per process.
#pragma once

#include "realtime/realtime.hpp"
#include "status/service.hpp"
#include "status/status_routes.hpp"

namespace skirmish::status {

class feature {
 public:
  feature(worker& source, const config& settings, const clock& time, metrics::registry& metrics)
      : status_(source, settings, time, metrics) {}

  void add_to(http::router& routes, realtime::gateway& gateway) {
    add_routes(routes, status_);
    gateway.on_channel("status", realtime::json_channel());
  }

 private:
  service status_;
};

}  // namespace skirmish::status
