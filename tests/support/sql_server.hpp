// A real SQL server for tests. There is one of a kind in a test binary, started when a test first
// asks for it.
#pragma once

#include "db/config.hpp"
#include "redis/child_process.hpp"

#include <string>

namespace skirmish::testing {

class sql_server {
 public:
  virtual ~sql_server() = default;

  // Creates an empty database. The user of the configuration may do everything.
  virtual db::config fresh_database() = 0;

  virtual void kill() = 0;    // SIGKILL, and waits for the end
  virtual void start() = 0;   // after kill(); waits until it answers
  virtual void freeze() = 0;  // SIGSTOP
  virtual void thaw() = 0;    // SIGCONT
};

// Tests leave it running and thawed. Null when the kind is not installed here (PostgreSQL only;
// MariaDB must be). SQLite has no server: see fresh_sqlite().
sql_server* shared_sql_server(db::sql_kind kind);

// An SQLite file that does not exist yet, in a directory that lives as long as the test binary.
db::config fresh_sqlite();

// Runs statements of a test on a session of its own.
void execute_sql(const db::config& config, const std::string& statement);
// The same for a query that gives one number.
long long query_number(const db::config& config, const std::string& query);

// Waits until the server answers; throws when its process ends first or it takes too long.
void wait_until_answering(const db::config& config, redis::child_process& process);

}  // namespace skirmish::testing
