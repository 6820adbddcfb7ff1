// What an SQL error means for the one who made the call.
#pragma once

namespace soci {
class soci_error;
}

namespace skirmish::db {

enum class sql_fault {
  lost,           // the connection broke: whether the statement was done is unknown
  deadline,       // the statement was ended because it took too long
  contention,     // a deadlock or a lock that was not granted: rolled back, trying again is right
  duplicate_key,  // a primary key or unique index already holds this value
  unavailable,    // the server refuses for now: starting, stopping, too many sessions, full,
                  // read-only
  other,          // a mistake of ours, or a server that lacks what we need
};

sql_fault fault_of(const soci::soci_error& e) noexcept;

// An insert met a row with the same key. A repository turns this into `already_exists`:
//   catch (const soci::soci_error& e) { if (is_duplicate_key(e)) return error{errc::already_exists,
//   "…"}; throw; }
inline bool is_duplicate_key(const soci::soci_error& e) noexcept {
  return fault_of(e) == sql_fault::duplicate_key;
}

}  // namespace skirmish::db
