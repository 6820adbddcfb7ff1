// JSON values and times, under the names this library uses, and the values of Python that JSON
// itself does not have. A task that passes a value on gives back what it was given, also these:
//
// - An integer beyond 64 bits is an object that no message can hold: see big_integer().
// - Half a UTF-16 pair in a string ("\ud83d") is three bytes that are not UTF-8, as Python's
//   "surrogatepass" writes it.
// - A datetime, date, time, Decimal, UUID or bytes comes from Celery 5.3 or later as
//   {"__type__": "datetime", "__value__": "2026-11-21T04:06:11+01:00"}: see plain_value().
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <optional>
#include <string_view>

namespace skirmish::tasks {

using json = boost::json::value;
using json_array = boost::json::array;
using json_object = boost::json::object;
using time_point = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;

inline constexpr std::string_view big_integer_key =
    "\xFF"
    "integer";  // \xFF is in no UTF-8 text

// The digits of an integer beyond 64 bits, with its sign; nothing when `v` is no such value.
std::optional<std::string_view> big_integer(const json& v) noexcept;

// What a tagged value says, without its tag: dates and times in ISO 8601, a UUID in its usual form,
// a Decimal as text, bytes as a string of them. Everything else is returned as it is.
json plain_value(const json& v);
// The moment in a tagged datetime or date, or in ISO 8601 text. Without a zone it is in UTC, as in
// Celery. Nothing when `v` is no time.
std::optional<time_point> as_time(const json& v);
// A number, a Decimal or an integer beyond 64 bits as the nearest double.
std::optional<double> as_number(const json& v);

}  // namespace skirmish::tasks
