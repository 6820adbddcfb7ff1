// The map for visitors: how many players are where, in squares, without who they are.
#pragma once

#include "http/router.hpp"
#include "positions/map.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace skirmish::positions {

// Of one server thread. However many ask, Redis is read once per `life`.
class public_map {
 public:
  static constexpr std::chrono::seconds life{10};

  // `cell_km` 0: the operator shows no map.
  public_map(asio::io_context& io, map_reader& map, double cell_km);

  // GET /api/positions/density
  void add_to(http::router& routes);

 private:
  using steady = std::chrono::steady_clock;

  awaitable<http::response> answer(http::exchange& x);
  awaitable<void> read();

  map_reader& map_;
  double cell_deg_;
  std::shared_ptr<const std::string> body_;  // as it was read last
  steady::time_point read_at_{};
  bool is_reading_ = false;
  asio::steady_timer read_done_;
};

}  // namespace skirmish::positions
