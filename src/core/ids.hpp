// Identifiers: what a valid one is, and how random ones are made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skirmish {

inline constexpr std::size_t id_max_bytes = 64;

// True for `[A-Za-z0-9_.:-]{1,64}`, the form of every id in the API.
bool is_valid_id(std::string_view id) noexcept;

// `bytes` random bytes from libsodium's CSPRNG in lower-case hex (so twice as many characters). Fit
// for secrets.
std::string random_hex(std::size_t bytes);

// A UUID version 4 (RFC 9562) in its usual text form.
std::string random_uuid();

}  // namespace skirmish
