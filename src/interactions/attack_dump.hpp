// An attack record in the form that RESTORE takes, so that one command writes the hash and its
// expiry.
//
// The form is that of DUMP since Redis 7.0 (RDB version 10, hash as a listpack), which every later
// Redis and Valkey reads. Sources: rdb.c and listpack.md of Redis 7.0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skirmish::interactions {

// Replaces what `out` holds. The texts have at most 127 bytes each.
void dump_attack(std::string& out, std::string_view id, std::string_view damage,
                 std::string_view ts);

// CRC-64 (Jones polynomial, reflected, no inversion), the checksum of a dump.
std::uint64_t crc64(std::string_view bytes);

}  // namespace skirmish::interactions
