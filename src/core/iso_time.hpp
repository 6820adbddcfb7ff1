// Reads dates and times as ISO 8601 writes them: the one parser behind parse_rfc3339() and the
// tasks' parse_iso().
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace skirmish {

enum class time_form {
  // RFC 3339, section 5.6: date, 'T', 't' or a space, time with seconds, optional fraction behind a
  // '.', 'Z' or "+hh:mm".
  rfc3339,
  // The same, and as Python and Celery's clients write it: a date alone, no seconds, ',' before the
  // fraction, "+hhmm", "+hh", "+hh:mm:ss", or no offset, which is UTC.
  iso8601,
};

// Fraction digits past the sixth are dropped. A leap second reads as the second that follows.
// Returns nullopt for everything else; years are 1 to 9999.
std::optional<std::chrono::sys_time<std::chrono::microseconds>> parse_time(std::string_view text,
                                                                           time_form form) noexcept;

}  // namespace skirmish
