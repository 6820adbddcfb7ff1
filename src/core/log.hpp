// Structured logs: one line an event, `key=value` pairs (logfmt), on standard error.
//
//   log::info("player_created", {{"player_id", id}, {"duration_ms", 3}});
//   2026-11-21T04:06:11.028Z info player_created player_id=p1 duration_ms=3
//
// Values with spaces, quotes or control characters are quoted and escaped. Never pass secrets.
// Thread-safe. An event has 100 lines per second at most; the next line after that says how many
// were left out (lines_left_out).
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace skirmish::log {

enum class level { debug, info, warn, error, off };

struct field {
  std::string_view key;
  std::string value;

  field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  field(std::string_view k, std::string_view v) : key(k), value(v) {}
  field(std::string_view k, const char* v) : key(k), value(v) {}
  field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <class T>
    requires(std::integral<T> || std::floating_point<T>)
  field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
};

using fields = std::initializer_list<field>;

// Events below `minimum` are dropped. The default is info.
void set_level(level minimum);
// "debug", "info", "warn", "error" or "off"; false for anything else, which changes nothing.
bool set_level(std::string_view name);
// Whether events of this level are written: for those that happen often, so that their fields are
// not made for nothing.
bool is_on(level at) noexcept;

void write(level at, std::string_view event, fields values);

// For what goes wrong again and again while a backend is away: the first line of an event and
// `key` is written at once, then one in ten seconds that says how many were left out since
// (lines_left_out). `key` tells problems apart: the error's text, for example.
void repeated(level at, std::string_view key, std::string_view event, fields values);

inline void debug(std::string_view event, fields f = {}) { write(level::debug, event, f); }
inline void info(std::string_view event, fields f = {}) { write(level::info, event, f); }
inline void warn(std::string_view event, fields f = {}) { write(level::warn, event, f); }
inline void error(std::string_view event, fields f = {}) { write(level::error, event, f); }

// One field's value as it appears in a line: bare when it is plain, else quoted and escaped.
std::string quote(std::string_view value);

}  // namespace skirmish::log
