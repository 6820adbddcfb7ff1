// Reading values that Python's repr() wrote, as far as JSON can hold them.
#pragma once

#include <boost/json/value.hpp>

#include <optional>
#include <string_view>

namespace skirmish::tasks {

// None, True, False, numbers, strings, lists, tuples, and dicts with strings as keys. Returns
// nullopt for everything else, and for what may not say all: text that was cut ("..."), and
// strings with a backslash, because Celery does not escape them.
std::optional<boost::json::value> parse_python_literal(std::string_view text);

}  // namespace skirmish::tasks
