// Random secrets as callers carry them. Their SHA-256 is what is stored: with 256 random bits in a
// secret, a slow hash would add only load.
#pragma once

#include <string>
#include <string_view>

namespace skirmish::sessions {

// `prefix`, then 256 random bits as 64 hex digits: "st_…".
std::string new_secret(std::string_view prefix);
// True when `text` has the form that new_secret(prefix) gives.
bool has_secret_form(std::string_view text, std::string_view prefix) noexcept;

}  // namespace skirmish::sessions
