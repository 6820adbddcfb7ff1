// Small text work of the wire format, made for the hot path: base64, ids, JSON strings, ISO times,
// Python's repr.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::tasks {

using wall_time = std::chrono::sys_time<std::chrono::microseconds>;

wall_time wall_now() noexcept;
double to_unix_s(wall_time t) noexcept;
inline double unix_now_s() noexcept { return to_unix_s(wall_now()); }
wall_time from_unix_s(double seconds) noexcept;

void append_base64(std::string& out, std::string_view bytes);
// Nothing when `text` is not base64 (RFC 4648, padded). White space is not skipped.
bool decode_base64(std::string_view text, std::string& out);

// A UUID version 4 from the CSPRNG; random bytes are drawn a page at a time, because one system
// call an id would be the dearest part of publishing a message.
std::string new_uuid();

// `text` as a JSON string with its quotes; everything outside ASCII stays UTF-8, but for halves of
// UTF-16 pairs (see values.hpp), which become escapes.
void append_json_string(std::string& out, std::string_view text);
// The content of a JSON string token (without quotes); false when an escape is broken.
bool unescape_json(std::string_view inner, std::string& out);

// "2026-11-21T04:06:11.028886+00:00", as Python's isoformat() writes an aware time.
void append_iso(std::string& out, wall_time t);
std::string to_iso(wall_time t);
// ISO 8601 as Celery's clients write it: a date, or a date and a time with up to six fraction
// digits; `Z`, `+hh:mm`, `+hhmm`, `+hh`, `+hh:mm:ss` or nothing (then UTC) behind it.
std::optional<wall_time> parse_iso(std::string_view text);

// How Python would show the value: `{'a': None, 'b': [1, 'x']}`; cut to `limit_bytes` with "..." at
// the end.
std::string python_repr(const boost::json::value& v, std::size_t limit_bytes = 1024);
// The same as a tuple: "(2, 3)", "(1,)".
std::string python_repr_tuple(const boost::json::array& items, std::size_t limit_bytes = 1024);
std::string python_repr(std::string_view text);

// The text under a name; empty when there is none.
std::string_view text_at(const boost::json::object& in, std::string_view name) noexcept;

// How numbers that JSON does not have are written: as Python does (NaN, Infinity), or as null.
enum class json_dialect { python, strict };
// Serialises into `out`, so that parse_json() and Python read the same value again.
void append_json(std::string& out, const boost::json::value& v,
                 json_dialect dialect = json_dialect::python);
std::string to_json_text(const boost::json::value& v, json_dialect dialect = json_dialect::python);

}  // namespace skirmish::tasks
