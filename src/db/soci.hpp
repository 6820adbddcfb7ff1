// SOCI for repositories: its session, the types we bind, and what an SQL error means. Include it in
// .cpp files only.
//
// Beyond SOCI's own types, `soci::use` and `soci::into` take `timestamp` and `std::optional` (NULL
// when empty).
#pragma once

#include "core/clock.hpp"
#include "db/fault.hpp"

#include <soci/soci.h>

#include <optional>
#include <type_traits>

namespace soci {

// A statement runs at the end of its full expression, after the temporaries in it were destroyed:
// name what you bind.
template <class T>
  requires(!std::is_lvalue_reference_v<T>)
void use(T&& temporary) = delete;

// Times are stored as BIGINT: milliseconds since 1970 in UTC. Every dialect has that type, sorts
// and compares it, and none applies a time zone to it.
template <>
struct type_conversion<skirmish::timestamp> {
  using base_type = long long;
  static void from_base(long long in, indicator ind, skirmish::timestamp& out) {
    if (ind == i_null) throw soci_error("NULL where a time was expected");
    out = skirmish::timestamp{std::chrono::milliseconds{in}};
  }
  static void to_base(skirmish::timestamp in, long long& out, indicator& ind) {
    out = in.time_since_epoch().count();
    ind = i_ok;
  }
};

template <class T>
struct type_conversion<std::optional<T>> {
  using base_type = typename type_conversion<T>::base_type;
  static void from_base(const base_type& in, indicator ind, std::optional<T>& out) {
    if (ind == i_null) {
      out.reset();
      return;
    }
    T value{};
    type_conversion<T>::from_base(in, ind, value);
    out = std::move(value);
  }
  static void to_base(const std::optional<T>& in, base_type& out, indicator& ind) {
    ind = i_null;
    if (in) type_conversion<T>::to_base(*in, out, ind);
  }
};

}  // namespace soci

namespace skirmish::db {

// Runs a statement and says how many rows it inserted, deleted, or matched (an update that changes
// nothing in a row counts that row, too):
//   affected_rows((sql.prepare << "UPDATE … WHERE player_id = :id", soci::use(id)))
inline long long affected_rows(const soci::details::prepare_temp_type& prepared) {
  soci::statement statement(prepared);
  statement.execute(true);
  return statement.get_affected_rows();
}

}  // namespace skirmish::db
