#include "db/world.hpp"

#include "db/soci.hpp"

#include <fmt/format.h>

namespace skirmish::db {
namespace {

std::string quoted(const std::string& world) {
  return world.empty() ? "the default world" : "the world `" + world + "`";
}

// The world that stands there, be it that `world` was written down now.
std::string world_or(soci::session& sql, const std::string& world) {
  std::string found;
  sql << "SELECT value FROM installation WHERE name = 'world'", soci::into(found);
  if (sql.got_data()) return found;
  try {
    sql << "INSERT INTO installation (name, value) VALUES ('world', :world)", soci::use(world);
    return world;
  } catch (const soci::soci_error& e) {
    if (!is_duplicate_key(e)) throw;
  }
  // Another server was faster.
  sql << "SELECT value FROM installation WHERE name = 'world'", soci::into(found);
  return found;
}

}  // namespace

awaitable<result<void>> claim_world(database& db, std::string world) {
  auto work = [world](soci::session& sql) { return world_or(sql, world); };
  const auto found = co_await db.run(std::move(work), retry::safe);
  if (found == world) co_return result<void>();
  co_return error{
      errc::conflict,
      fmt::format("this database belongs to {}, and server.world names {}: every world needs "
                  "a database of its own (`skirmish migrate --take-world` gives this "
                  "one to the world of server.world)",
                  quoted(found), quoted(world))};
}

awaitable<void> replace_world(database& db, std::string world) {
  auto work = [world](soci::session& sql) {
    world_or(sql, world);
    sql << "UPDATE installation SET value = :world WHERE name = 'world'", soci::use(world);
    return true;
  };
  co_await db.run(std::move(work), retry::safe);
}

}  // namespace skirmish::db
