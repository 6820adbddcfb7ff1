#include "db/migrate.hpp"

#include "core/log.hpp"
#include "db/backend.hpp"
#include "db/soci.hpp"

#include <fmt/format.h>
#include <soci/mysql/soci-mysql.h>

#include <map>

namespace skirmish::db {
namespace {

constexpr std::chrono::seconds lock_wait{60};
// Adding an index to a big table takes its time.
constexpr std::chrono::minutes statement_limit{30};

constexpr auto table_of_migrations =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version INTEGER NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, "
    "checksum VARCHAR(64) NOT NULL, applied_at BIGINT NOT NULL"
    ") /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */";

// A session with the database held against other migrators, until it is released or goes away.
class migrator {
 public:
  explicit migrator(db::config config) : config_(std::move(config)) {
    config_.statement_timeout = statement_limit;
    const auto& backend = backend_for(config_.kind);
    try {
      backend.connect(sql_, config_);
      backend.prepare(sql_, config_);
    } catch (const soci::soci_error& e) {
      throw failure(errc::unavailable,
                    fmt::format("cannot open {}: {}", to_string(config_), e.get_error_message()));
    }
  }

  std::vector<migration> pending(const std::vector<migration>& all) {
    return pending(all, has_table() ? applied() : std::map<int, migration>{});
  }

  std::vector<migration> apply(const std::vector<migration>& all) {
    acquire();
    execute(table_of_migrations);
    auto todo = pending(all, applied());
    for (const auto& item : todo) apply_one(item);
    release();
    return todo;
  }

 private:
  void acquire() {
    const auto wait_ms = std::chrono::milliseconds{lock_wait}.count();
    switch (config_.kind) {
      case sql_kind::sqlite:
        sql_ << "PRAGMA busy_timeout = " << wait_ms;
        backend_for(config_.kind).begin(sql_);
        return;
      case sql_kind::postgresql:
        backend_for(config_.kind).begin(sql_);
        sql_ << "SET LOCAL lock_timeout = " << wait_ms;
        sql_ << "SELECT pg_advisory_xact_lock(5283911)";
        return;
      case sql_kind::mysql:
        // Hashed, because a lock's name may have 64 characters and so may a database's.
        std::optional<int> is_mine;
        sql_ << "SELECT GET_LOCK(CONCAT('skirmish.', SHA1(DATABASE())), " << lock_wait.count()
             << ")",
            soci::into(is_mine);
        if (is_mine != 1)
          throw failure(errc::unavailable, "another process is migrating the database");
    }
  }

  // Without it the lock ends, and what was not committed is undone, when the session closes.
  void release() {
    if (config_.kind != sql_kind::mysql) sql_.commit();
  }

  bool has_table() {
    constexpr const char* queries[] = {
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() "
        "AND table_name = 'schema_migrations'",
        "SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_migrations')"};
    int count = 0;
    sql_ << queries[static_cast<std::size_t>(config_.kind)], soci::into(count);
    return count != 0;
  }

  std::map<int, migration> applied() {
    std::map<int, migration> out;
    soci::rowset<soci::row> rows =
        (sql_.prepare << "SELECT version, name, checksum FROM schema_migrations");
    for (const auto& row : rows) {
      migration item{row.get<int>(0), row.get<std::string>(1), {}, row.get<std::string>(2)};
      out.emplace(item.version, std::move(item));
    }
    return out;
  }

  static std::vector<migration> pending(const std::vector<migration>& all,
                                        const std::map<int, migration>& applied) {
    if (!applied.empty() && applied.rbegin()->first > static_cast<int>(all.size()))
      throw failure(errc::conflict,
                    fmt::format("the database is at migration {}, and this program knows {}: "
                                "it was made by a newer version",
                                applied.rbegin()->first, all.size()));
    std::vector<migration> out;
    for (const auto& item : all) {
      const auto found = applied.find(item.version);
      if (found == applied.end())
        out.push_back(item);
      else if (found->second.checksum != item.checksum)
        throw failure(errc::conflict,
                      fmt::format("migration {} ({}) was applied with another content; an applied "
                                  "file must not change",
                                  item.version, found->second.name));
    }
    return out;
  }

  void apply_one(const migration& item) {
    for (const auto& statement : split_statements(item.sql)) {
      try {
        execute(statement);
      } catch (const soci::soci_error& e) {
        throw failure(errc::internal,
                      fmt::format("migration {} ({}): {} in: {}", item.version, item.name,
                                  e.get_error_message(), statement.substr(0, 200)));
      }
    }
    const auto now = system_clock{}.now();
    sql_ << "INSERT INTO schema_migrations (version, name, checksum, applied_at) "
            "VALUES (:version, :name, :checksum, :applied_at)",
        soci::use(item.version), soci::use(item.name), soci::use(item.checksum), soci::use(now);
    log::info("migrated", {{"version", item.version}, {"name", item.name}});
  }

  void execute(const std::string& statement) {
    try {
      sql_ << statement;
    } catch (const soci::mysql_soci_error& e) {
      // The column or the index is there: this file was interrupted after that statement.
      constexpr unsigned duplicate_column = 1060;
      constexpr unsigned duplicate_index = 1061;
      if (e.err_num_ != duplicate_column && e.err_num_ != duplicate_index) throw;
    }
  }

  db::config config_;
  soci::session sql_;
};

// What reaches the caller is always a failure.
template <class F>
auto guarded(F step) {
  try {
    return step();
  } catch (const soci::soci_error& e) {
    const bool may_pass = fault_of(e) != sql_fault::other;
    throw failure(may_pass ? errc::unavailable : errc::internal,
                  "migrations: " + e.get_error_message());
  }
}

}  // namespace

std::vector<migration> pending_migrations(const db::config& config,
                                          const std::vector<migration>& all) {
  return guarded([&] { return migrator(config).pending(all); });
}

std::vector<migration> migrate(const db::config& config, const std::vector<migration>& all) {
  return guarded([&] { return migrator(config).apply(all); });
}

}  // namespace skirmish::db
