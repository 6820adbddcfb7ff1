// Temporary bans as one feature of a server thread: their routes. The table that requests are
// checked against belongs to the whole process (ban_table.hpp).
#pragma once

#include "bans/ban_store.hpp"
#include "bans/bans_routes.hpp"

namespace skirmish::bans {

class feature {
 public:
  feature(redis::client& redis, const redis::key_space& keys, const clock& time)
      : time_(time), store_(redis, keys, time) {}

  void add_to(http::router& routes) { add_routes(routes, store_, time_); }

 private:
  const clock& time_;
  store store_;
};

}  // namespace skirmish::bans
