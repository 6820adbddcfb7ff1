// PostgreSQL on a Unix socket in a temporary directory of its own.
#pragma once

#include "redis/child_process.hpp"
#include "support/redis_server.hpp"
#include "support/sql_server.hpp"

#include <csignal>

namespace skirmish::testing {

class postgresql_server final : public sql_server {
 public:
  static bool is_installed();

  postgresql_server();
  ~postgresql_server() override { kill(); }

  database_config fresh_database() override;
  void kill() override;
  void start() override;
  void freeze() override { signal_all(SIGSTOP); }
  void thaw() override { signal_all(SIGCONT); }

 private:
  // The server is a process for each session.
  void signal_all(int number) const;
  [[nodiscard]] database_config administrator() const;

  temp_dir dir_;
  redis::child_process process_;
  int databases_ = 0;
};

}  // namespace skirmish::testing
