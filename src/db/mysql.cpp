// MariaDB and MySQL through libmariadb.
#include "db/backend.hpp"

#include <fmt/format.h>
#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <cstring>

namespace skirmish::db {
namespace {

MYSQL* native(soci::session& sql) {
  return static_cast<soci::mysql_session_backend*>(sql.get_backend())->conn_;
}

std::string connection_string(const db::config& config) {
  const auto connect_s = whole_seconds(config.connect_timeout);
  // The server ends a statement first; these are for a server that does not answer any more.
  const auto io_s = whole_seconds(config.work_limit());
  auto text = fmt::format(
      "charset=utf8mb4 connect_timeout={} read_timeout={} write_timeout={} user={} dbname={}",
      connect_s, io_s, io_s, connection_value(config.user), connection_value(config.name));
  if (!config.password.empty()) text += " password=" + connection_value(config.password);
  if (!config.unix_socket.empty())
    return text + " unix_socket=" + connection_value(config.unix_socket);
  // The client library takes "localhost" as "the default Unix socket", whatever the port says.
  const std::string host = config.host == "localhost" ? "127.0.0.1" : config.host;
  return text + fmt::format(" host={} port={}", connection_value(host),
                            config.port == 0 ? 3306 : config.port);
}

class mysql final : public backend {
 public:
  void connect(soci::session& sql, const db::config& config) const override {
    // The client library initialises itself on first use, which two threads must not do at once.
    [[maybe_unused]] static const int initialised = mysql_library_init(0, nullptr, nullptr);
    sql.open(soci::mysql, connection_string(config));
  }

  void prepare(soci::session& sql, const db::config& config) const override {
    sql << "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
           "NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1, "
           "innodb_lock_wait_timeout = "
        << whole_seconds(config.statement_timeout / 2);
    // MySQL limits only SELECT this way; the work limit is what bounds its writes.
    if (std::strstr(mysql_get_server_info(native(sql)), "MariaDB") != nullptr)
      sql << "SET SESSION max_statement_time = "
          << fmt::format("{:.3f}", static_cast<double>(config.statement_timeout.count()) / 1000);
    else
      sql << "SET SESSION max_execution_time = " << config.statement_timeout.count();
  }

  [[nodiscard]] int descriptor(soci::session& sql) const override {
    return static_cast<int>(mysql_get_socket(native(sql)));
  }

  void interrupt(soci::session&) const override {}

  [[nodiscard]] bool in_transaction(soci::session& sql) const override {
    return (native(sql)->server_status & SERVER_STATUS_IN_TRANS) != 0;
  }

  void begin(soci::session& sql) const override { sql.begin(); }
};

}  // namespace

const backend& mysql_backend() noexcept {
  static const mysql instance;
  return instance;
}

}  // namespace skirmish::db
