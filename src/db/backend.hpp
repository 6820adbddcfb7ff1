// What differs between the SQL servers, for this folder's own use.
#pragma once

#include "db/config.hpp"

namespace soci {
class session;
}

namespace skirmish::db {

class backend {
 public:
  virtual ~backend() = default;

  // Both throw soci::soci_error.
  virtual void connect(soci::session& sql, const db::config& config) const = 0;
  // Makes every session alike: UTC, strict types, autocommit, limits on statements and locks.
  virtual void prepare(soci::session& sql, const db::config& config) const = 0;

  // The connection's descriptor; -1 when there is none (SQLite).
  [[nodiscard]] virtual int descriptor(soci::session& sql) const = 0;

  // Makes a running statement fail soon. Called from another thread, on sessions without a
  // descriptor only.
  virtual void interrupt(soci::session& sql) const = 0;

  [[nodiscard]] virtual bool in_transaction(soci::session& sql) const = 0;

  // Starts a transaction that may write.
  virtual void begin(soci::session& sql) const = 0;
};

// Stateless and alive for the whole program.
const backend& backend_for(sql_kind kind) noexcept;

// One of each, in mysql.cpp, postgresql.cpp and sqlite.cpp.
const backend& mysql_backend() noexcept;
const backend& postgresql_backend() noexcept;
const backend& sqlite_backend() noexcept;

// `text` as a value of a connection string: in single quotes, with quotes and backslashes escaped.
std::string connection_value(std::string_view text);

// Whole seconds, rounded up and at least one.
long long whole_seconds(std::chrono::milliseconds duration) noexcept;

}  // namespace skirmish::db
