// Where secrets come from, beside the settings themselves: files, and places that are not safe.
#pragma once

#include "core/error.hpp"

#include <string>
#include <string_view>

namespace skirmish {

// A setting `x` that holds a secret can be read from a file: `x_file` names it, in the environment
// `X_FILE` (`DB_PASSWORD_FILE`). The one line of such a file; an error says what is wrong with it
// and never quotes it.
result<std::string> read_secret_file(const std::string& path);

// True when this value of this setting is, or may contain, a secret: then a command line, which
// every user of the machine can read, is the wrong place for it.
bool holds_secret(std::string_view setting, std::string_view value);

}  // namespace skirmish
