// PostgreSQL on a Unix socket in a temporary directory of its own.
#pragma once

#include "redis/child_process.hpp"
#include "support/freeze.hpp"
#include "support/redis_server.hpp"
#include "support/sql_server.hpp"

#include <vector>

namespace skirmish::testing {

class postgresql_server final : public sql_server {
 public:
  static bool is_installed();

  postgresql_server();
  ~postgresql_server() override { kill_family(process_); }

  db::config fresh_database() override;
  // A process of the old server that still runs would keep the new one from starting.
  void kill() override { kill_family(process_); }
  void start() override;
  void freeze() override { frozen_ = freeze_family(process_); }
  void thaw() override;

 private:
  [[nodiscard]] db::config administrator() const;

  temp_dir dir_;
  redis::child_process process_;
  std::vector<pid_t> frozen_;  // its processes, one for each session among them
  int databases_ = 0;
};

}  // namespace skirmish::testing
