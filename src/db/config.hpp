// Which SQL database to use, and its limits.
#pragma once

#include "core/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skirmish::db {

// MariaDB counts as MySQL. Repositories need this only for the few statements that differ
// (upserts).
enum class sql_kind { sqlite, mysql, postgresql };

// "sqlite", "mysql" or "postgresql".
std::string_view to_string(sql_kind kind) noexcept;

struct config {
  sql_kind kind = sql_kind::sqlite;

  // SQLite: the file. It is created with mode 0600 when it does not exist.
  std::string path;

  // MySQL and PostgreSQL. "localhost" means TCP to the loopback address here, not the client
  // library's default socket.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: the usual one, 3306 or 5432
  std::string user;
  std::string password;
  std::string name;
  // Used in place of host and port when not empty. MySQL: the socket; PostgreSQL: the directory
  // that holds it.
  std::string unix_socket;

  // Sessions, each on a thread of its own. SQLite always has one: its file takes one writer at a
  // time, and a single session answers more reads than cache misses ask for.
  std::size_t sessions = 4;
  // Work that waits for a session; more is refused at once.
  std::size_t queue_limit = 1024;

  // Rounded up to whole seconds by the client libraries (PostgreSQL's waits at least two).
  std::chrono::milliseconds connect_timeout{2000};
  // What one statement may take at the server.
  std::chrono::milliseconds statement_timeout{5000};

  // How long a caller waits at most, from asking to the answer, queueing included; running work is
  // cut after the same time. The server's own limit on a statement comes first unless the server is
  // frozen or unreachable.
  [[nodiscard]] std::chrono::milliseconds work_limit() const noexcept {
    return kind == sql_kind::sqlite ? statement_timeout : statement_timeout + connect_timeout;
  }
};

// Reads
//   mysql://user:password@host:port/name    (also mariadb://)
//   postgresql://user:password@host/name    (also postgres://)
//   sqlite:///var/lib/skirmish/skirmish.db  an absolute path; sqlite:skirmish.db is a relative one
// Parts are percent-decoded; an IPv6 host stands in brackets; `?unix_socket=/path` replaces host
// and port. The error names the part that is wrong and never quotes the URL, which may hold a
// password.
result<db::config> parse_database_url(std::string_view url);

// The URL form with the password shown as "***". For logs and `skirmish check`.
std::string to_string(const db::config& config);

}  // namespace skirmish::db
