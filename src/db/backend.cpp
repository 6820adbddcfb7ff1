#include "db/backend.hpp"

#include <algorithm>

namespace skirmish::db {

const backend& backend_for(sql_kind kind) noexcept {
  switch (kind) {
    case sql_kind::mysql: return mysql_backend();
    case sql_kind::postgresql: return postgresql_backend();
    case sql_kind::sqlite: break;
  }
  return sqlite_backend();
}

std::string connection_value(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

long long whole_seconds(std::chrono::milliseconds duration) noexcept {
  return std::max<long long>(1, std::chrono::ceil<std::chrono::seconds>(duration).count());
}

}  // namespace skirmish::db
