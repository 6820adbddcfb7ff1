// Identifiers: what a valid one is, and how random ones are made.
#pragma once

#include "core/clock.hpp"

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

// A ULID (https://github.com/ulid/spec): 26 of 0-9 A-Z, unique, and sorted by the time they were
// made; of one thread they are in the order of the calls. Not fit for secrets.
std::string sortable_id(timestamp now);

}  // namespace skirmish
