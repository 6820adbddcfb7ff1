#include "sessions/secret.hpp"

#include "core/ids.hpp"

#include <algorithm>

namespace skirmish::sessions {

constexpr std::size_t secret_bytes = 32;

std::string new_secret(std::string_view prefix) {
  return std::string(prefix) + random_hex(secret_bytes);
}

bool has_secret_form(std::string_view text, std::string_view prefix) noexcept {
  return text.size() == prefix.size() + 2 * secret_bytes && text.starts_with(prefix) &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(prefix.size()), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace skirmish::sessions
