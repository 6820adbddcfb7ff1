#include "support/sql_server.hpp"

#include "db/backend.hpp"
#include "support/mariadb_server.hpp"
#include "support/postgresql_server.hpp"
#include "support/redis_server.hpp"

#include <fmt/format.h>
#include <soci/soci.h>

#include <stdexcept>
#include <thread>

namespace skirmish::testing {
namespace {

using namespace std::chrono_literals;

void open(soci::session& sql, const db::config& config) {
  backend_for(config.kind).connect(sql, config);
  backend_for(config.kind).prepare(sql, config);
}

}  // namespace

sql_server* shared_sql_server(db::sql_kind kind) {
  if (kind == db::sql_kind::mysql) {
    static mariadb_server mariadb;
    return &mariadb;
  }
  if (kind == db::sql_kind::postgresql && postgresql_server::is_installed()) {
    static postgresql_server postgresql;
    return &postgresql;
  }
  return nullptr;
}

db::config fresh_sqlite() {
  static const temp_dir dir;
  static int count = 0;
  db::config config;
  config.path = (dir.path() / fmt::format("{}.db", ++count)).string();
  return config;
}

void execute_sql(const db::config& config, const std::string& statement) {
  soci::session sql;
  open(sql, config);
  sql << statement;
}

long long query_number(const db::config& config, const std::string& query) {
  soci::session sql;
  open(sql, config);
  long long number = 0;
  sql << query, soci::into(number);
  return number;
}

void wait_until_answering(const db::config& config, redis::child_process& process) {
  const auto limit = std::chrono::steady_clock::now() + 30s;
  for (;;) {
    try {
      execute_sql(config, "SELECT 1");
      return;
    } catch (const soci::soci_error& e) {
      if (!process.running() || std::chrono::steady_clock::now() > limit)
        throw std::runtime_error("the tests' SQL server did not start: " + e.get_error_message());
    }
    std::this_thread::sleep_for(10ms);
  }
}

}  // namespace skirmish::testing
