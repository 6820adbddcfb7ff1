// Random secrets as callers carry them, and what is stored of them.
#pragma once

#include <string>
#include <string_view>

namespace skirmish::sessions {

// `prefix`, then 256 random bits as 64 hex digits: "st_…".
std::string new_secret(std::string_view prefix);
// True when `text` has the form that new_secret(prefix) gives.
bool has_secret_form(std::string_view text, std::string_view prefix) noexcept;

// SHA-256 (FIPS 180-4) in hex. With 256 random bits in the secret, a slow hash would add only load.
std::string sha256_hex(std::string_view text);

// The same time whatever differs. Lengths may be told apart.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace skirmish::sessions
