// MariaDB on a Unix socket in a temporary directory of its own.
#pragma once

#include "redis/child_process.hpp"
#include "support/freeze.hpp"
#include "support/redis_server.hpp"
#include "support/sql_server.hpp"

#include <csignal>

namespace skirmish::testing {

class mariadb_server final : public sql_server {
 public:
  mariadb_server();  // installs and starts, in about five seconds
  ~mariadb_server() override { kill(); }

  db::config fresh_database() override;
  void kill() override;
  void start() override;
  void freeze() override { testing::freeze(process_); }
  void thaw() override { process_.signal(SIGCONT); }

  [[nodiscard]] std::string socket() const { return (dir_.path() / "mariadb.sock").string(); }
  // The server's administrator, in its own database.
  [[nodiscard]] db::config root() const;

 private:
  temp_dir dir_;
  redis::child_process process_;
  int databases_ = 0;
};

}  // namespace skirmish::testing
