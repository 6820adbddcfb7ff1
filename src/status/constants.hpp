// The rows of the table `constants`, read from the database.
#pragma once

#include "db/database.hpp"
#include "status/document.hpp"

#include <vector>

namespace skirmish::status {

struct constants_table {
  bool exists = true;
  std::vector<constant_row> rows;
};

// One statement: SELECT Name, Value, Description FROM constants. Whatever types the columns have,
// they arrive as texts. Throws `failure` when the database does not answer.
awaitable<constants_table> load_constants(db::database& db);

}  // namespace skirmish::status
