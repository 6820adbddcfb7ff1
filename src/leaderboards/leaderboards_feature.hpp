// Leaderboards as one feature of a server thread: the routes, the channel `leaderboard:<board>`,
// and the end of seasons.
#pragma once

#include "core/task_group.hpp"
#include "http/allowed_sites.hpp"
#include "leaderboards/busy_pages.hpp"
#include "leaderboards/leaderboards.hpp"
#include "leaderboards/leaderboards_routes.hpp"
#include "leaderboards/live_channel.hpp"

#include <utility>

namespace skirmish::leaderboards {

class feature {
 public:
  // Reads behind the callers' backs run in `group`. `sites`: whose pages may show a board.
  feature(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
          const clock& time, task_group& group, http::allowed_sites sites)
      : sites_(std::move(sites)),
        boards_(redis, keys, time),
        pages_(boards_, group),
        live_(io, boards_, live_channel::limit_max),
        channel_(live_, group) {}

  void add_to(http::router& routes, realtime::gateway& gateway) {
    add_routes(routes, boards_, pages_, sites_);
    channel_.add_to(gateway);
  }

  void start(task_group& group) {
    group.keep_running("leaderboard_closer", [this] { return boards_.run_closer(); });
    group.keep_running("live_leaderboards", [this] { return live_.run(); });
  }

  [[nodiscard]] service& boards() noexcept { return boards_; }

 private:
  http::allowed_sites sites_;
  service boards_;
  busy_pages pages_;
  live_boards live_;
  live_channel channel_;
};

}  // namespace skirmish::leaderboards
