// A master and its replica, with proxies in between: one delays replication, the other is the
// address that leads to whichever is the master.
#pragma once

#include "support/redis_server.hpp"
#include "support/run.hpp"
#include "testing/relay.hpp"

#include <fmt/format.h>

namespace skirmish::testing {

class redis_pair {
 public:
  // The replica is in step when this returns.
  redis_pair() {
    replica.tell(fmt::format("REPLICAOF 127.0.0.1 {}", stream.port()));
    asio::io_context io{1};
    run(io, [this]() -> awaitable<void> {
      const auto is_in_step = [this] {
        return replica.says("INFO replication", "master_link_status:up");
      };
      co_await eventually(is_in_step);
    });
  }

  [[nodiscard]] redis::connection_config config() const {
    auto out = master.config();
    out.unix_socket.clear();
    out.address.port = address.port();
    return out;
  }

  // The master dies, the replica takes over with what it has.
  void fail_over() {
    master.kill();
    replica.tell("REPLICAOF NO ONE");
    address.lead_to(replica.socket());
  }

  redis_server master;
  redis_server replica;
  cli::relay stream{master.socket()};   // replies are the stream of replication
  cli::relay address{master.socket()};  // for clients
};

}  // namespace skirmish::testing
