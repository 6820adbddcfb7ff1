// Whose world a database holds. Profiles and levels carry no world, so two worlds in one database
// would silently mix theirs: the first server writes down its own, and others refuse to start.
#pragma once

#include "core/error.hpp"
#include "db/database.hpp"

#include <string>

namespace skirmish::db {

// Writes the world down where none is yet; conflict when another one stands there. Throws as
// database::run(): before its migration there is no table (failure{internal}).
awaitable<result<void>> claim_world(database& db, std::string world);

// Gives the database to this world, whatever stands there.
awaitable<void> replace_world(database& db, std::string world);

}  // namespace skirmish::db
