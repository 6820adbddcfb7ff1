#include "sessions/secret.hpp"

#include "core/ids.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

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

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  std::array<char, crypto_hash_sha256_BYTES * 2 + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
  return hex.data();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace skirmish::sessions
