// The schema: numbered SQL files, embedded in the program and applied in order.
//
// `migrations/0001_initial.sql` serves every dialect; `0001_initial.mysql.sql` beside it would
// replace it on that one. What was applied stands in `schema_migrations(version, name, checksum,
// applied_at)`. One process migrates at a time: SQLite and PostgreSQL do everything in one
// transaction; MySQL, which commits each DDL statement by itself, is guarded by GET_LOCK, and a
// file that was interrupted there is run again from its start. So its statements must bear
// repetition: CREATE TABLE IF NOT EXISTS, and an index or a column that exists already counts as
// added.
#pragma once

#include "db/config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace skirmish::db {

struct migration {
  int version = 0;
  std::string name;
  std::string sql;
  // SHA-256 of `sql` in hex. An applied file never changes: a new one changes the schema.
  std::string checksum;
};

// One file as it was embedded: its name, for example "0001_initial.mysql.sql", and its text.
struct migration_file {
  std::string_view name;
  std::string_view sql;
};

// The program's own files for this dialect, by version.
std::vector<migration> embedded_migrations(sql_kind kind);

// Throws failure{internal} on a malformed name and on a number that is missing or used twice.
std::vector<migration> migrations_from(const std::vector<migration_file>& files, sql_kind kind);

// Cuts a file into its statements: at each ';' outside quotes and comments. Comments are dropped,
// but not /*! … */.
std::vector<std::string> split_statements(std::string_view sql);

// Both open a session of their own and block. They throw
//   failure{unavailable}  the database cannot be reached, or another process migrates it for more
//                         than a minute
//   failure{conflict}     an applied file was changed since, or the database is newer than this
//                         program
//   failure{internal}     a statement failed
// What was not applied yet.
std::vector<migration> pending_migrations(const db::config& config,
                                          const std::vector<migration>& all);
// Applies what is pending and returns it.
std::vector<migration> migrate(const db::config& config, const std::vector<migration>& all);

inline std::vector<migration> pending_migrations(const db::config& config) {
  return pending_migrations(config, embedded_migrations(config.kind));
}
inline std::vector<migration> migrate(const db::config& config) {
  return migrate(config, embedded_migrations(config.kind));
}

}  // namespace skirmish::db
