// Positions as one feature of a server thread: the routes and the channel `near:<player_id>`.
#pragma once

#include "core/task_group.hpp"
#include "positions/near_channel.hpp"
#include "positions/positions.hpp"
#include "positions/positions_routes.hpp"

namespace skirmish::positions {

class feature {
 public:
  feature(asio::io_context& io, redis::client& redis, const redis::key_space& keys)
      : io_(io), positions_(redis, keys), near_(io, positions_) {}

  void add_to(http::router& routes, realtime::gateway& gateway) {
    add_routes(routes, positions_);
    gateway.on_channel("near:", near_.kind());
  }

  void start(task_group& group) {
    group.keep_running("near", [this] { return near_.run(); });
  }
  // One thread is enough: a lease lets one of all servers prune at a time.
  void start_on_first(task_group& group) {
    group.keep_running("positions_pruner", [this] { return positions_.run_pruner(io_); });
  }

 private:
  asio::io_context& io_;
  service positions_;
  near_channel near_;
};

}  // namespace skirmish::positions
