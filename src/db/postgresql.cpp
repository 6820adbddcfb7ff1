// PostgreSQL through libpq.
#include "db/backend.hpp"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

namespace skirmish::db {
namespace {

PGconn* native(soci::session& sql) {
  return static_cast<soci::postgresql_session_backend*>(sql.get_backend())->conn_;
}

std::string connection_string(const db::config& config) {
  auto text = fmt::format(
      "client_encoding=UTF8 application_name=skirmish connect_timeout={} user={} dbname={} host={}",
      whole_seconds(config.connect_timeout), connection_value(config.user),
      connection_value(config.name),
      connection_value(config.unix_socket.empty() ? config.host : config.unix_socket));
  if (!config.password.empty()) text += " password=" + connection_value(config.password);
  if (config.port != 0) text += fmt::format(" port={}", config.port);
  return text;
}

class postgresql final : public backend {
 public:
  void connect(soci::session& sql, const db::config& config) const override {
    sql.open(soci::postgresql, connection_string(config));
  }

  void prepare(soci::session& sql, const db::config& config) const override {
    // One SET each, and not the connection's `options`, which poolers in front of the server
    // refuse.
    sql << "SET statement_timeout = " << config.statement_timeout.count();
    sql << "SET lock_timeout = " << config.statement_timeout.count() / 2;
    sql << "SET timezone = 'UTC'";
    sql << "SET client_min_messages = 'warning'";
  }

  [[nodiscard]] int descriptor(soci::session& sql) const override { return PQsocket(native(sql)); }

  void interrupt(soci::session&) const override {}

  [[nodiscard]] bool in_transaction(soci::session& sql) const override {
    return PQtransactionStatus(native(sql)) != PQTRANS_IDLE;
  }

  void begin(soci::session& sql) const override { sql.begin(); }
};

}  // namespace

const backend& postgresql_backend() noexcept {
  static const postgresql instance;
  return instance;
}

}  // namespace skirmish::db
