// A small hash in the form that RESTORE takes, so that one command writes it and its expiry.
//
// The form is that of DUMP since Redis 7.0: RDB version 10, the hash as a listpack. Every later
// Redis and Valkey reads it. Sources:
// rdb.c, listpack.c and crc64.c of Redis 7.0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace skirmish::redis {

// Replaces what `out` holds by the hash of these fields and values in turn, each field once. Each
// text has at most 4,095 bytes, and all of them together have less than 16,000.
void dump_hash(std::string& out, std::span<const std::string_view> fields_and_values);

// CRC-64 (Jones polynomial, reflected, no inversion), the checksum of a dump.
std::uint64_t crc64(std::string_view bytes);

}  // namespace skirmish::redis
