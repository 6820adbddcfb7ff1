// Live logs of game servers as one feature of a server thread.
#pragma once

#include "core/task_group.hpp"
#include "game_servers/event_writer.hpp"
#include "game_servers/game_servers.hpp"
#include "game_servers/game_servers_routes.hpp"
#include "game_servers/http_log.hpp"
#include "game_servers/udp_listener.hpp"

#include <optional>
#include <utility>

namespace skirmish::game_servers {

class feature {
 public:
  // `states` is shared by all threads.
  feature(asio::io_context& io, interactions::engine& engine, redis::client& redis,
          const redis::key_space& keys, const clock& time, maker player, maker level,
          skirmish::chat::channel_rules chats, log_states& states, settings s,
          metrics::registry& metrics)
      : io_(io),
        settings_(std::move(s)),
        metrics_(metrics),
        writer_(engine, time, std::move(player), std::move(level), std::move(chats), metrics),
        logs_(writer_, redis, keys, states, settings_.origin, metrics) {}

  void add_to(http::router& routes) { add_routes(routes, logs_, settings_.body_limit_bytes); }

  // One thread receives for all: the lines of a server must stay in their order. Throws failure
  // when it cannot listen.
  void start_on_first(task_group& group) {
    if (settings_.udp_listen.empty()) return;
    udp_.emplace(io_, settings_, writer_, metrics_);
    group.keep_running("ingest_udp_receiver", [this] { return udp_->receive(); });
    group.keep_running("ingest_udp_writer", [this] { return udp_->apply(); });
  }

  awaitable<void> stop() {
    if (udp_) co_await udp_->stop();
  }

 private:
  asio::io_context& io_;
  settings settings_;
  metrics::registry& metrics_;
  event_writer writer_;
  http_log logs_;
  std::optional<udp_listener> udp_;
};

}  // namespace skirmish::game_servers
