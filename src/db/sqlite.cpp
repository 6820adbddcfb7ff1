// SQLite in a file of our own.
#include "db/backend.hpp"

#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

namespace skirmish::db {
namespace {

sqlite_api::sqlite3* native(soci::session& sql) {
  return static_cast<soci::sqlite3_session_backend*>(sql.get_backend())->conn_;
}

// SQLite would create the file with the umask's mode; its -wal and -shm files take the mode of the
// file itself. A file that exists keeps the mode that its owner chose. The file must not be opened
// here: closing it would end the locks that other sessions of this process hold on it
// (https://www.sqlite.org/howtocorrupt.html, 2.2), and another process that finds no lock takes
// itself for the last one and deletes the log that is in use.
void create_private(const std::string& path) { ::mknod(path.c_str(), S_IFREG | 0600, 0); }

class sqlite final : public backend {
 public:
  void connect(soci::session& sql, const db::config& config) const override {
    create_private(config.path);
    sql.open(soci::sqlite3, fmt::format("dbname=\"{}\"", config.path));
  }

  void prepare(soci::session& sql, const db::config& config) const override {
    // Tells a duplicate key from other constraints.
    sqlite_api::sqlite3_extended_result_codes(native(sql), 1);
    sqlite_api::sqlite3_busy_timeout(native(sql),
                                     static_cast<int>(config.statement_timeout.count()));
    sql << "PRAGMA journal_mode = WAL";
    // FULL syncs the log at each commit, so what was acknowledged also survives a power loss;
    // NORMAL would survive only a killed process. Writes are rare enough here for the price.
    sql << "PRAGMA synchronous = FULL";
    sql << "PRAGMA foreign_keys = ON";
  }

  [[nodiscard]] int descriptor(soci::session&) const override { return -1; }

  void interrupt(soci::session& sql) const override { sqlite_api::sqlite3_interrupt(native(sql)); }

  [[nodiscard]] bool in_transaction(soci::session& sql) const override {
    return sqlite_api::sqlite3_get_autocommit(native(sql)) == 0;
  }

  // A transaction that reads first and writes later could not wait for another process's write
  // lock: take it at once.
  void begin(soci::session& sql) const override { sql << "BEGIN IMMEDIATE"; }
};

}  // namespace

const backend& sqlite_backend() noexcept {
  static const sqlite instance;
  return instance;
}

}  // namespace skirmish::db
