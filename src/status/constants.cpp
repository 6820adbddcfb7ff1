#include "status/constants.hpp"

#include "db/soci.hpp"

#include <fmt/format.h>

#include <ctime>

namespace skirmish::status {
namespace {

// A table with more rows is not the one meant; its first rows are enough to say so.
constexpr std::size_t rows_max = 1000;

std::optional<std::string> as_text(const soci::row& row, std::size_t column) {
  if (row.get_indicator(column) == soci::i_null) return std::nullopt;
  switch (row.get_properties(column).get_data_type()) {
    case soci::dt_string: return row.get<std::string>(column);
    case soci::dt_double: return fmt::format("{}", row.get<double>(column));
    case soci::dt_integer: return std::to_string(row.get<int>(column));
    case soci::dt_long_long: return std::to_string(row.get<long long>(column));
    case soci::dt_unsigned_long_long: return std::to_string(row.get<unsigned long long>(column));
    default: return "(a type that is no number)";
  }
}

bool says_no_such_table(std::string_view message) {
  return message.find("doesn't exist") != std::string_view::npos ||  // MySQL, MariaDB
         message.find("no such table") != std::string_view::npos ||  // SQLite
         message.find("does not exist") != std::string_view::npos;   // PostgreSQL
}

}  // namespace

awaitable<constants_table> load_constants(db::database& db) {
  return db.read([](soci::session& sql) {
    constants_table out;
    try {
      const soci::rowset<soci::row> rows = sql.prepare
                                           << "SELECT Name, Value, Description FROM constants";
      for (const auto& row : rows) {
        if (out.rows.size() == rows_max) break;
        out.rows.push_back({as_text(row, 0), as_text(row, 1), as_text(row, 2)});
      }
    } catch (const soci::soci_error& e) {
      if (!says_no_such_table(e.what())) throw;
      out.exists = false;
    }
    return out;
  });
}

}  // namespace skirmish::status
