// One physical connection of a client: Boost.Redis, set up and wrapped. Only client.cpp includes
// this.
#pragma once

#include "redis/client.hpp"

#include <boost/redis/connection.hpp>

#include <string>
#include <vector>

namespace skirmish::redis {

struct client::link {
  link(asio::io_context& io, const connection_config& config, const std::string& name);
  link(const link&) = delete;
  link& operator=(const link&) = delete;

  // Connects and serves until the connection is lost or cancelled.
  awaitable<void> run();
  void set_no_delay();

  // The last thing that went wrong, for logs and errors.
  void note(std::string_view problem) { problem_ = problem; }
  [[nodiscard]] std::string problem() const {
    return problem_.empty() ? "connection lost" : problem_;
  }

  std::vector<value> pushes;  // received and not yet relayed

 private:
  std::string problem_;
  std::string server_name_;  // for TLS
  boost::redis::config settings_;

 public:
  boost::redis::connection connection;  // last: it refers to the others
};

}  // namespace skirmish::redis
