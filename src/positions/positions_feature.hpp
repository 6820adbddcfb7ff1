// Positions as one feature of a server thread: the routes and the channels `near:<player_id>` and
// `positions`.
#pragma once

#include "core/task_group.hpp"
#include "positions/map.hpp"
#include "positions/map_channel.hpp"
#include "positions/near_channel.hpp"
#include "positions/positions.hpp"
#include "positions/positions_routes.hpp"
#include "positions/public_map.hpp"

namespace skirmish::positions {

class feature {
 public:
  // `public_cell_km`: the squares of the map for visitors; 0: they see none.
  feature(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
          const clock& time, double public_cell_km)
      : positions_(redis, keys),
        map_(redis, keys, time),
        public_map_(io, map_, public_cell_km),
        near_(io, positions_),
        map_channel_(io, map_) {}

  void add_to(http::router& routes, realtime::gateway& gateway) {
    add_routes(routes, positions_, map_);
    public_map_.add_to(routes);
    gateway.on_channel("near:", near_.kind());
    gateway.on_channel("positions", map_channel_.kind());
  }

  void start(task_group& group) {
    group.keep_running("near", [this] { return near_.run(); });
    group.keep_running("map", [this] { return map_channel_.run(); });
  }
  // One thread is enough: a lease lets one of all servers prune at a time.
  void start_on_first(task_group& group) {
    group.keep_running("positions_pruner", [this] { return positions_.run_pruner(); });
  }

 private:
  service positions_;
  map_reader map_;
  public_map public_map_;
  near_channel near_;
  map_channel map_channel_;
};

}  // namespace skirmish::positions
