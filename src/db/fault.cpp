#include "db/fault.hpp"

#include <soci/mysql/soci-mysql.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <string_view>

namespace skirmish::db {
namespace {

// https://mariadb.com/kb/en/mariadb-error-codes/ and the client library's errmsg.h.
sql_fault mysql_fault(unsigned code) {
  switch (code) {
    case 2002:
    case 2003:
    case 2006:
    case 2013:
    case 2055:  // client: no connection, gone away, lost
    case 1053:
    case 1077:
    case 1079:  // the server is shutting down
    case 1317:
    case 1927:  // query interrupted, connection was killed
      return sql_fault::lost;
    case 1969:
    case 3024:  // max_statement_time (MariaDB), max_execution_time (MySQL)
      return sql_fault::deadline;
    case 1205:
    case 1213:
    case 1020:  // lock wait timeout, deadlock, record has changed since last read
      return sql_fault::contention;
    case 1062:
    case 1586: return sql_fault::duplicate_key;
    case 1040:
    case 1203:
    case 1226:  // too many connections
    case 1021:
    case 1114:
    case 1041:
    case 1037:  // disk full, table full, out of memory
    case 1290:
    case 1836:
    case 1792:  // read-only server or transaction
      return sql_fault::unavailable;
    default: return sql_fault::other;
  }
}

// https://www.sqlite.org/rescode.html
sql_fault sqlite_fault(int extended_code) {
  constexpr int constraint_primary_key = 1555;
  constexpr int constraint_unique = 2067;
  if (extended_code == constraint_primary_key || extended_code == constraint_unique)
    return sql_fault::duplicate_key;
  switch (extended_code & 0xFF) {
    case 5:
    case 6:  // SQLITE_BUSY, SQLITE_LOCKED
      return sql_fault::contention;
    case 9:  // SQLITE_INTERRUPT
      return sql_fault::deadline;
    case 8:
    case 10:
    case 13:
    case 14:  // SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
      return sql_fault::unavailable;
    default: return sql_fault::other;
  }
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
sql_fault postgresql_fault(std::string_view state) {
  if (state == "57014") return sql_fault::deadline;
  if (state == "40001" || state == "40P01" || state == "55P03") return sql_fault::contention;
  if (state == "23505") return sql_fault::duplicate_key;
  if (state == "57P01" || state == "57P02" || state == "57P05" || state.starts_with("08"))
    return sql_fault::lost;
  if (state == "57P03" || state == "25006" || state.starts_with("53"))
    return sql_fault::unavailable;
  return sql_fault::other;
}

}  // namespace

sql_fault fault_of(const soci::soci_error& e) noexcept {
  if (const auto* mysql = dynamic_cast<const soci::mysql_soci_error*>(&e))
    return mysql_fault(mysql->err_num_);
  if (const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&e))
    return sqlite_fault(sqlite->result());
  if (const auto* postgresql = dynamic_cast<const soci::postgresql_soci_error*>(&e))
    return postgresql_fault(postgresql->sqlstate());
  return e.get_error_category() == soci::soci_error::connection_error ? sql_fault::lost
                                                                      : sql_fault::other;
}

}  // namespace skirmish::db
