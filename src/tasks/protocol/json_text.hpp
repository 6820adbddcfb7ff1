// JSON as text: reading and writing it as Python does.
#pragma once

#include "core/error.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace skirmish::tasks {

// `text` as a JSON string with its quotes. Everything outside ASCII stays UTF-8, except for halves
// of UTF-16 pairs (see values.hpp), which become escapes.
void append_json_string(std::string& out, std::string_view text);
// Replaces `out` by the content of a JSON string token (without quotes). False when an escape is
// broken.
bool unescape_json(std::string_view inner, std::string& out);

// The text under a name; empty when there is none.
std::string_view text_at(const boost::json::object& in, std::string_view name) noexcept;

// How numbers are written. python: fractions stay fractions (5.0), and what JSON cannot represent
// is written as Python does (NaN, Infinity). strict: the shortest way (core/json_text.hpp), null
// for the latter.
enum class json_dialect { python, strict };
// Appends `v` as text; in Python's dialect parse_json() and Python read the same value again.
void append_json(std::string& out, const boost::json::value& v,
                 json_dialect dialect = json_dialect::python);
std::string to_json_text(const boost::json::value& v, json_dialect dialect = json_dialect::python);

// Parses JSON as Python writes it: NaN, Infinity, integers of any size, halves of UTF-16 pairs,
// nesting as deep as Python's own parser accepts. (json_read.cpp)
result<boost::json::value> parse_json(std::string_view text, boost::json::storage_ptr storage = {});

}  // namespace skirmish::tasks
