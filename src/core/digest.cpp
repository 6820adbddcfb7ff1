#include "core/digest.hpp"

#include <array>

namespace skirmish {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string to_hex(std::span<const unsigned char> bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

std::string digest_of(std::string_view text) {
  std::array<unsigned char, crypto_generichash_BYTES_MIN> digest{};
  crypto_generichash(digest.data(), digest.size(), bytes_of(text), text.size(), nullptr, 0);
  return to_hex(digest);
}

sha256::sha256() { crypto_hash_sha256_init(&state_); }

void sha256::update(std::string_view bytes) {
  crypto_hash_sha256_update(&state_, bytes_of(bytes), bytes.size());
}

std::string sha256::hex() const {
  auto state = state_;  // finishing ends a state
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state, digest.data());
  return to_hex(digest);
}

std::string sha256_hex(std::string_view text) {
  sha256 digest;
  digest.update(text);
  return digest.hex();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace skirmish
