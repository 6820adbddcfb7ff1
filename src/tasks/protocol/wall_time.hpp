// Times on the wire: wall-clock time in microseconds, Unix seconds, and ISO 8601.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::tasks {

using wall_time = std::chrono::sys_time<std::chrono::microseconds>;

wall_time wall_now() noexcept;
double to_unix_s(wall_time t) noexcept;
inline double unix_now_s() noexcept { return to_unix_s(wall_now()); }
// Clamped to the years that ISO 8601 can write; NaN becomes the earliest.
wall_time from_unix_s(double seconds) noexcept;

// "2026-11-21T04:06:11.028886+00:00", as Python's isoformat() writes an aware time.
void append_iso(std::string& out, wall_time t);
std::string to_iso(wall_time t);
// ISO 8601 as Celery's clients write it: a date, or a date and a time with up to six fraction
// digits, followed by `Z`, `+hh:mm`, `+hhmm`, `+hh`, `+hh:mm:ss` or nothing (then UTC). Returns
// nullopt for everything else.
std::optional<wall_time> parse_iso(std::string_view text);

}  // namespace skirmish::tasks
