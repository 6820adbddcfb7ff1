// Digests of texts, and comparing secrets.
#pragma once

#include <sodium.h>

#include <span>
#include <string>
#include <string_view>

namespace skirmish {

// Two lower-case digits per byte.
std::string to_hex(std::span<const unsigned char> bytes);

// BLAKE2b-128 (RFC 7693) in 32 hex digits. Nobody finds two texts with the same one, so whether two
// texts are equal can be told without keeping both.
std::string digest_of(std::string_view text);

// SHA-256 (FIPS 180-4) of what comes in parts.
class sha256 {
 public:
  sha256();
  void update(std::string_view bytes);
  // Of all that came so far, in 64 hex digits.
  [[nodiscard]] std::string hex() const;

 private:
  crypto_hash_sha256_state state_;
};

std::string sha256_hex(std::string_view text);

// Takes the same time whatever differs; only a difference in length shows in the time.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace skirmish
