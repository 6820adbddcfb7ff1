// JSON as text: every answer, push and `--json` is written by these.
//
// Numbers are written the shortest way that reads back as the same number, without an exponent for
// ordinary magnitudes, as ECMAScript's Number::toString does it (ECMA-262, 6.1.6.1.20): `48.8566`,
// `0`, `0.00052`. Values that Celery and Python read are written by tasks/protocol/json_text.hpp,
// which keeps `5.0` apart from `5`.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace skirmish {

// A fraction that is a whole number has no point, and -0 is 0. What JSON cannot hold (infinite, not
// a number) is null.
void append_json_number(std::string& out, double n);
void append_json_integer(std::string& out, std::int64_t n);

// `n` to so many decimal places, without zeros at the end.
std::string rounded_json_number(double n, int decimals);

// A string with its quotes; `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);
std::string json_string_of(std::string_view text);

void append_json(std::string& out, const boost::json::value& v);
std::string json_text_of(const boost::json::value& v);
std::string json_text_of(const boost::json::object& o);
std::string json_text_of(const boost::json::array& a);

}  // namespace skirmish
